"""Things that lie in a larger file: members of tars, rows of tables."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Packed(ABC):
    """What is read like a file and is none; as a text it names the file and the place in it."""

    __slots__ = ()

    @property
    @abstractmethod
    def container(self) -> str:
        """The file, or the part of one, whose things are cheap to read one after another."""

    @property
    @abstractmethod
    def extent(self) -> str:
        """What tells two contents apart without reading them, for the digest of a split."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Bytes; None where only reading tells."""

    @property
    @abstractmethod
    def suffix(self) -> str:
        """As of a file's name: lower case, with its dot; or empty."""

    @abstractmethod
    def read(self) -> bytes:
        """All of it.

        Raises:
            DataError: it is not what it was when it was listed, or cannot be read.
        """
