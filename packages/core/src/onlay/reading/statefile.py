"""State dicts of other people's code, read without running anything that is in them.

Trainers put more into a file than tensors (hyper-parameters, optimizers, whole modules), under
names of their own; all of it is passed over here, in one place for every plugin.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from onlay.errors import BundleError
from onlay.reading.standins import stand_ins

NESTED = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "teacher"),
    *("state_dict", "model_state_dict", "model_state", "model", "base_model"),
    *("module", "network", "net", "backbone", "encoder", "weights", "params", "ema", "student"),
)
"""Where trainers put the tensors, the likeliest first; an average of the weights before them, as
timm reads it."""

UNREADABLE = (
    *(SafetensorError, pickle.PickleError, zipfile.BadZipFile, zlib.error, struct.error),
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError),
    *(MemoryError, OSError, RuntimeError, TypeError, ValueError),
)
"""What torch, safetensors and numpy raise at files that are not what they seem."""

MODULES, DEPTH = 100_000, 64
"""No network has more of them, or is deeper; a pickled module that holds itself is."""

WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
"""Parts of names that only a wrapper of torch or of Lightning puts there, at any depth."""


AVERAGED = frozenset({"ema", "model_ema", "ema_model", "teacher"})
"""Parts of names by which an average of the weights is told from the weights."""


def read_state(path: Path, *, within: Sequence[str] = ()) -> dict[str, Tensor]:
    """The tensors of a safetensors or torch file, by their names without those of wrappers.

    Args:
        within: containers to look in before those of `NESTED`.

    Raises:
        BundleError: a file that is missing, truncated, unsafe or holds something else.
    """
    if not path.is_file():
        raise BundleError(f"there is no file `{path}`; give a `.safetensors` or a torch file")
    try:
        found = _state_in(load(path), (*within, *NESTED))
    except UNREADABLE as error:
        raise BundleError(
            f"`{path}` cannot be read as tensors: it is truncated, no torch or safetensors file, or"
            " it holds code; save the plain `model.state_dict()` and give that"
        ) from error
    if damaged := _damaged(path):
        raise BundleError(
            f"`{path}` is damaged: the checksum of `{damaged}` in it differs from the"
            " one that was written; copy or download the file again"
        )
    if not found:
        raise BundleError(f"`{path}` holds no state dict; save `model.state_dict()` and give that")
    return plain_names(found)


def load(path: Path) -> Any:
    """The content of a file; what is neither a tensor nor a plain value is an inert stand-in."""
    if path.suffix.lower() == ".safetensors":
        return load_file(path)
    with torch.serialization.safe_globals(stand_ins(path)):
        return torch.load(path, map_location="cpu", weights_only=True)


def _damaged(path: Path) -> str:
    """A part of a torch file whose checksum differs; torch keeps them and does not look at them."""
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.CRC:  # torch was told to keep none
                continue
            try:
                with archive.open(member) as file:
                    while file.read(1 << 20):
                        pass
            except UNREADABLE:
                return member.filename
    return ""


def check_values(own: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that have the shapes of a network's `own`, and cannot be its weights.

    Raises:
        BundleError: whole numbers where fractions should be, or a value that is not finite.
    """
    for name in sorted(own.keys() & found.keys()):
        tensor = found[name]
        if own[name].is_floating_point() and not tensor.is_floating_point():
            raise BundleError(
                f"`{path}` holds no weights: `{name}` is {tensor.dtype} and should be"
                f" {own[name].dtype} (a quantised checkpoint cannot be adapted)"
            )
        if tensor.is_floating_point() and not tensor.float().isfinite().all():
            raise BundleError(f"`{path}` holds a value that is NaN or infinite, in `{name}`")


def plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors without the parts of names that wrappers add; `module.` where all have
    it."""
    names = {name: [p for p in name.split(".") if p not in WRAPPERS] for name in state}
    while all(len(parts) > 1 and parts[0] == "module" for parts in names.values()):
        names = {name: parts[1:] for name, parts in names.items()}
    return {".".join(parts): state[name] for name, parts in names.items()}


def unwrapped(
    state: Mapping[str, Tensor], expected: Collection[str], path: Path, *, least: int | None = None
) -> dict[str, Tensor]:
    """The tensors below the prefix that a training program put before the `expected` names.

    The state as it is, where they are there without one, or fewer than `least` of them are there
    at all (half of them, unless given).

    Raises:
        BundleError: several networks are in the file, and nothing says which is meant.
    """
    prefix = _prefix(state, set(expected), path, len(expected) // 2 if least is None else least)
    return {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}


def _prefix(state: Mapping[str, Tensor], expected: set[str], path: Path, least: int) -> str:
    counts = Counter(p for name in state for p, inner in _splits(name) if inner in expected)
    most = max(counts.values(), default=0)
    best = [prefix for prefix, count in counts.items() if count == most > least]
    if len(best) > 1:
        best = [p for p in best if AVERAGED & set(p.split("."))] or best
    shortest = min(best, key=len, default="")
    others = [prefix for prefix in best if not prefix.startswith(shortest)]
    if others:
        raise BundleError(
            f"`{path}` holds several networks, under `{shortest}` and `{others[0]}`:"
            " save the state dict of one of them"
        )
    return shortest


def _splits(name: str) -> list[tuple[str, str]]:
    """`a.b.c` -> ("", "a.b.c"), ("a.", "b.c"), ("a.b.", "c")."""
    ends = [0, *(i + 1 for i, letter in enumerate(name) if letter == ".")]
    return [(name[:end], name[end:]) for end in ends]


def _state_in(content: Any, within: Sequence[str], depth: int = 4) -> dict[str, Tensor]:
    """The tensors of the likeliest container; empty where there are none."""
    if "_modules" in getattr(content, "__dict__", {}):
        return _of_module(content)
    if not isinstance(content, Mapping) or not depth:
        return {}
    for key in within:
        if found := _state_in(content.get(key), within, depth - 1):
            return found
    inside = [state for state in map(_tensors, content.values()) if state]
    return _tensors(content) or (inside[0] if len(inside) == 1 else {})


def _tensors(content: Any) -> dict[str, Tensor]:
    named = content.items() if isinstance(content, Mapping) else ()
    return {name: t for name, t in named if isinstance(name, str) and isinstance(t, Tensor)}


def _of_module(module: Any) -> dict[str, Tensor]:
    """The state dict of a whole module that was pickled: its stand-ins have the attributes.

    Raises:
        ValueError: it holds itself, or more modules than any network has.
    """
    found: dict[str, Tensor] = {}
    waiting = [("", module)]
    for _ in range(MODULES):
        if not waiting:
            return found
        prefix, each = waiting.pop()
        if prefix.count(".") > DEPTH:
            break
        own: dict[str, Any] = getattr(each, "__dict__", {})
        found |= {prefix + name: tensor for name, tensor in _own_tensors(own)}
        children = dict(own.get("_modules") or {})
        waiting += [(f"{prefix}{name}.", child) for name, child in children.items()]
    raise ValueError(f"modules more than {DEPTH} deep, or more than {MODULES} of them")


def _own_tensors(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    passing = attributes.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _tensors(attributes.get(kind)).items():
            if name not in passing:
                yield name, tensor.detach()
