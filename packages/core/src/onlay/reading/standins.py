"""Stand-ins for the classes and functions that a torch file names: none of them is imported or
run.

torch reads a pickle of plain tensors with `weights_only`. What else it names (numpy's scalars,
hyper-parameters, whole modules) becomes an object without any behaviour here, so that the tensors
beside it can be had.
"""

from __future__ import annotations

import pickletools
import sys
import zipfile
from _compat_pickle import IMPORT_MAPPING
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

HARMLESS = frozenset(
    {
        *("argparse.Namespace", "collections.defaultdict", "functools.partial"),
        *("datetime.date", "datetime.datetime", "datetime.timedelta", "types.SimpleNamespace"),
        *("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath"),
        *("pathlib._local.PosixPath", "pathlib._local.WindowsPath", "uuid.UUID"),
        *("builtins.dict", "builtins.list", "builtins.tuple", "builtins.int", "builtins.float"),
        *("builtins.str", "builtins.bool", "builtins.object", "builtins.frozenset"),
    }
)
"""Of Python's own library nothing else belongs into a checkpoint: a file that names more of it was
made to do something, and torch is left to refuse it."""

TORCHS = "torch.distributed"
"""Where torch's sharded tensors are, which it can build itself."""

LEGACY = 5
"""Pickles at the beginning of a torch file that is no zip archive (before torch 1.6)."""


class Inert(type):
    """The kind of a stand-in: what it is called with is dropped."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if cls.__name__ == "defaultdict":
            return OrderedDict()  # the reader puts items into no other kind
        return object.__new__(cast("type[Any]", cls))


def stand_ins(path: Path) -> list[Any]:
    """One for each name in the file that may be passed over; torch's own are not used for what it
    knows."""
    return [_stand_in(module, name) for module, name in sorted(set(_named(path)))]


def _stand_in(module: str, name: str) -> Any:
    body = {
        "__module__": module,
        "__qualname__": name,
        "__new__": lambda cls, *args: OrderedDict(),  # dicts of other classes, and objects
        "__setstate__": lambda self, state: None,
    }
    return Inert(name.rpartition(".")[2], (), body)


def _named(path: Path) -> Iterator[tuple[str, str]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith("data.pkl"):
                    if not member.CRC:  # torch was told to keep none: there is none to compare
                        unchecked: Any = member
                        unchecked.CRC = None
                    with archive.open(member) as file:
                        yield from _globals(file)
        return
    with path.open("rb") as file:
        for _ in range(LEGACY):
            yield from _globals(file)


def _globals(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            module = IMPORT_MAPPING.get(module, module)  # as Python 2 called it
            root = module.partition(".")[0]
            ours = root not in sys.stdlib_module_names and not module.startswith(TORCHS)
            if ours or f"{module}.{name}" in HARMLESS:
                yield module, name
