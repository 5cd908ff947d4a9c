"""Things in rows of Parquet: whole groups of rows are read, and the last ones kept.

Each process opens files for itself and keeps groups of its own.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay.errors import DataError
from onlay.reading.packed import Packed

if TYPE_CHECKING:
    from onlay.reading.parquet_table import Table

KEPT_BYTES = 256 * 2**20
"""How much of groups one process keeps; one group at least."""

_STARTS = {
    b"\xff\xd8": ".jpg",
    b"\x89PNG": ".png",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"\x93NUMPY": ".npy",
}
"""How files begin, for those that are stored without a name."""


@dataclass(frozen=True, slots=True, eq=False)
class Row(Packed):
    """One row."""

    table: Table
    number: int
    root: Path
    """What a path in it is relative to, where it has no bytes."""

    @property
    def container(self) -> str:
        return f"{self.table.path}, group {self.table.group(self.number)} of rows"

    @property
    def extent(self) -> str:
        return str(self.table.size)

    @property
    def size(self) -> None:
        """Known by reading alone."""

    @property
    def suffix(self) -> str:
        content, name = self._cell()
        known = Path(name or "").suffix.lower()
        starts = (
            suffix for start, suffix in _STARTS.items() if (content or b"")[:8].startswith(start)
        )
        return known or next(starts, "")

    def read(self) -> bytes:
        content, name = self._cell()
        if content is not None:
            return content
        if not name:
            raise DataError(f"`{self}` has neither bytes nor a path")
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            told = f"names `{name}`, which cannot be read in `{self.root}`"
            raise DataError(f"`{self}` {told}: {error.strerror}") from error

    def _cell(self) -> tuple[bytes | None, str | None]:
        group = self.table.group(self.number)
        own = _groups.of(self.table, group)[self.number - int(self.table.starts[group])].as_py()
        return (own.get("bytes"), own.get("path")) if isinstance(own, dict) else (own, None)

    def __str__(self) -> str:
        return f"{self.table.path}: row {self.number}"


Key = tuple[Path, int, int, str, int]


class _Groups:
    """Groups of rows that were read last; those of a process that this was forked from are left
    behind, with its files."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.kept: OrderedDict[Key, Any] = OrderedDict()

    def of(self, table: Table, group: int) -> Any:
        if self.process != os.getpid():
            self.__init__()
        key = (table.path, table.size, table.written, table.column, group)
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key]
        self.kept[key] = _read(table, group)
        while len(self.kept) > 1 and sum(own.nbytes for own in self.kept.values()) > KEPT_BYTES:
            self.kept.popitem(last=False)
        return self.kept[key]


def _read(table: Table, group: int) -> Any:
    from onlay.reading.parquet_table import in_words, pyarrow

    arrow = pyarrow()
    with in_words(table.path):
        facts = os.stat(table.path)
        if (facts.st_size, facts.st_mtime_ns) != (table.size, table.written):
            raise DataError(
                f"the table `{table.path}` changed since it was listed; type the same command again"
            )
        with arrow.parquet.ParquetFile(table.path) as file:
            return file.read_row_group(group, columns=[table.column], use_threads=False)[
                table.column
            ]


_groups = _Groups()
