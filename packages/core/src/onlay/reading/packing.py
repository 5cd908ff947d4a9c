"""Labelled things into tars, as WebDataset has them: `00000017.jpg` beside `00000017.cls`."""

from __future__ import annotations

import csv
import io
import random
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onlay.errors import ConfigError, DataError
from onlay.machine.disk import writing
from onlay.machine.system import replace
from onlay.reading.labels import check_distinct
from onlay.reading.layouts import WHOLE, Layout
from onlay.reading.listing import Item
from onlay.reading.packed import Packed
from onlay.reading.tar_index import BLOCK

CONTENTS = "contents.csv"
"""The table of what lies where, beside the tars."""

Row = tuple[str, str, str, str]
"""Tar, key, label, and what the item was called."""


@dataclass
class Packing:
    """Tars of one part, each closed before it grows over `limit` bytes; a single item may."""

    folder: Path
    part: str
    limit: int
    rows: list[Row] = field(default_factory=list)
    number: int = 0
    """Of tars that are begun."""

    def write(self, items: Iterable[Item]) -> None:
        """All of them, in this order.

        Raises:
            DataError: an item that cannot be read.
            RunError: a tar that cannot be written.
        """
        tar: tarfile.TarFile | None = None
        try:
            for count, item in enumerate(items):
                key, content = f"{count:08}", content_of(item.source)
                name = key + (item.source.suffix.lower() or ".bin")
                own = {name: content, f"{key}.cls": item.label.encode()}
                if tar is None or self._full(tar, own):
                    tar = self._next(tar)
                for each, inside in own.items():
                    _put(tar, each, inside)
                self.rows.append((Path(str(tar.name)).name, key, item.label, item.key))
        finally:
            if tar is not None:
                tar.close()

    def _full(self, tar: tarfile.TarFile, own: Mapping[str, bytes]) -> bool:
        """Headers, contents filled up to blocks, two blocks at the end, filled up to a record."""
        blocks = sum(1 + -(-len(content) // BLOCK) for content in own.values()) + 2
        records = -(-(tar.offset + blocks * BLOCK) // tarfile.RECORDSIZE)
        return tar.offset > 0 and records * tarfile.RECORDSIZE > self.limit

    def _next(self, before: tarfile.TarFile | None) -> tarfile.TarFile:
        if before is not None:
            before.close()
        self.number += 1
        name = f"{self.part}-{self.number - 1:06}.tar"
        return tarfile.open(self.folder / name, "w", format=tarfile.GNU_FORMAT)


def pack(layout: Layout, out: Path, *, limit: int, seed: int) -> dict[str, int]:
    """Write every part into tars below `out`, mixed, so that each holds many classes; how many tars
    each part has. All of it is there afterwards, or nothing.

    Raises:
        ConfigError: something is in the way.
        DataError: what cannot be read, or has no one class.
        RunError: what cannot be written.
    """
    if layout.targets != "class":
        raise DataError(f"these data tell {layout.targets} of an item, and tars hold one class")
    check_distinct({item.label for items in layout.parts.values() for item in items})
    tars: dict[str, int] = {}
    with _new_folder(out) as folder:
        rows: list[Row] = []
        for part, items in layout.parts.items():
            if items:
                name = "all" if part == WHOLE else part
                packing = Packing(folder, name, limit, rows)
                packing.write(_mixed(items, seed))
                tars[name] = packing.number
        with (folder / CONTENTS).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("tar", "key", "label", "item"), *rows])
    return tars


def content_of(source: Any) -> bytes:
    """All bytes of a file, or of what is packed.

    Raises:
        DataError: no file, or one that cannot be read; names it.
    """
    if isinstance(source, Packed):
        return source.read()
    if not isinstance(source, Path):
        raise DataError("these data are no files, and tars hold files")
    try:
        return source.read_bytes()
    except OSError as error:
        raise DataError(f"`{source}` cannot be read: {error.strerror}") from error


def _mixed(items: Sequence[Item], seed: int) -> Iterator[Item]:
    order = list(range(len(items)))
    random.Random(seed).shuffle(order)
    return (items[place] for place in order)


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that takes the place of `out`, which is empty or not there, once it is whole."""
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ConfigError(f"`{out}` is there and not empty: name another folder with `--out`")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
            fresh = Path(scratch) / out.name
            fresh.mkdir()
            yield fresh
            with suppress(FileNotFoundError):
                out.rmdir()
            replace(fresh, out)
