"""Members of uncompressed tars, read from any place in them.

Files are opened once in every process: a position in one that two processes share would be lost.
"""

from __future__ import annotations

import os
import posixpath
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from onlay.errors import DataError
from onlay.machine.system import read_at
from onlay.reading.packed import Packed
from onlay.reading.tar_index import BLOCK, Stamp, TarIndex, index_of, opened, stamp_in

OPEN_AT_ONCE = 64
"""Tars that one process keeps open."""


class Shard:
    """One tar and where its members lie."""

    def __init__(self, path: Path, index: TarIndex) -> None:
        self.path, self.index = path, index

    @classmethod
    def of(cls, path: Path) -> Shard:
        """Indexed, if it is not yet.

        Raises:
            DataError: what `index_of` raises.
        """
        return cls(path, index_of(path))

    def members(self) -> list[tuple[str, Member]]:
        """All, with their names, in the tar's order."""
        return [(name, Member(self, n)) for n, name in enumerate(self.index.names())]

    def read(self, number: int) -> bytes:
        """The content of a member.

        Raises:
            DataError: the tar, or this member of it, changed since it was indexed.
        """
        index = self.index
        start, size = int(index.offsets[number]), int(index.sizes[number])
        found = read_at(_files.opened(self), BLOCK + size, start - BLOCK)
        if zlib.crc32(found[:BLOCK]) != index.headers[number]:
            raise DataError(f"{self._named(number)} is another than when the shard was indexed")
        if len(found) < BLOCK + size:
            raise DataError(f"{self._named(number)} is cut short")
        return found[BLOCK:]

    def _named(self, number: int) -> str:
        return f"the member `{self.index.name(number)}` of the shard `{self.path}`"


@dataclass(frozen=True, slots=True, eq=False)
class Member(Packed):
    """One file in a tar."""

    shard: Shard
    number: int

    @property
    def container(self) -> str:
        return str(self.shard.path)

    @property
    def size(self) -> int:
        return int(self.shard.index.sizes[self.number])

    @property
    def extent(self) -> str:
        return str(self.size)

    @property
    def name(self) -> str:
        return self.shard.index.name(self.number)

    @property
    def suffix(self) -> str:
        return posixpath.splitext(self.name)[1].lower()

    def read(self) -> bytes:
        return self.shard.read(self.number)

    def __str__(self) -> str:
        return f"{self.shard.path}: {self.name}"


class _Files:
    """Open files of this process; those of the one that it was forked from are left behind."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.files: OrderedDict[tuple[Path, Stamp], BinaryIO] = OrderedDict()

    def opened(self, shard: Shard) -> BinaryIO:
        if self.process != os.getpid():
            self.__init__()
        own = (shard.path, shard.index.stamp)
        file = self.files.pop(own, None) or self._fresh(shard)
        self.files[own] = file  # the last one is the one that was used last
        if len(self.files) > OPEN_AT_ONCE:
            self.files.popitem(last=False)[1].close()
        return file

    def _fresh(self, shard: Shard) -> BinaryIO:
        file = opened(shard.path)
        if stamp_in(file) != shard.index.stamp:
            file.close()
            raise DataError(
                f"the shard `{shard.path}` changed since it was indexed; type the same command"
                " again, and it is indexed anew"
            )
        return file


_files = _Files()
