"""The rows of a binary `.ply` file, element by element."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.meshes import Polygons


class Property(NamedTuple):
    name: str
    kind: str
    """As numpy writes it, without its byte order."""
    length: str | None
    """The kind of the number before a list; `None` where the property is one number."""


class Element(NamedTuple):
    name: str
    count: int
    properties: list[Property]

    @property
    def lists(self) -> bool:
        return any(each.length for each in self.properties)


Rows = tuple[dict[str, np.ndarray], dict[str, Polygons]]
"""Numbers (count,) and lists of an element, by their names."""


def cut(element: Element) -> Malformed:
    return Malformed(f"its header promises {element.count:,} of `{element.name[:40]}` and it is cut"
                     " off")  # fmt: skip


class Binary:
    """Rows of bytes, `order` being `<` or `>`."""

    def __init__(self, body: memoryview, order: str) -> None:
        self.body, self.order, self.at = body, order, 0

    def take(self, element: Element) -> Rows:
        """The rows of the next element."""
        if not element.count or not element.properties:
            return {}, {}
        lengths = self._first(element)
        dtype = self._dtype(element, lengths)
        if element.count * dtype.itemsize <= len(self.body) - self.at:
            rows = np.frombuffer(self.body, dtype, element.count, self.at)
            if all((rows[f"n{i}"] == length).all() for i, length in lengths.items()):
                self.at += rows.nbytes
                return _numbers(element, rows), _equal_lists(element, rows)
        if not element.lists:
            raise cut(element)
        return self._one_by_one(element)

    def finish(self) -> None:
        """Raise `Malformed` where there is more than the header says: then its rows are wider, and
        bytes of one point were read as those of the next. Some programs end with a line end or
        with zeros."""
        if bytes(self.body[self.at :]).strip(b"\0 \t\r\n"):
            have = len(self.body)
            raise Malformed(f"its header promises {self.at:,} bytes of numbers and it has {have:,}")

    def _first(self, element: Element) -> dict[int, int]:
        """How long each list of the first row is."""
        at, lengths = self.at, {}
        for index, each in enumerate(element.properties):
            if each.length:
                lengths[index], at = self._length(each, at, element)
            at += np.dtype(each.kind).itemsize * lengths.get(index, 1)
        return lengths

    def _length(self, each: Property, at: int, element: Element) -> tuple[int, int]:
        dtype = np.dtype(self.order + str(each.length))
        if at + dtype.itemsize > len(self.body):
            raise cut(element)
        length = int(np.frombuffer(self.body, dtype, 1, at)[0])
        end = at + dtype.itemsize
        if length < 0 or length * np.dtype(each.kind).itemsize > len(self.body) - end:
            raise cut(element)
        return length, end

    def _dtype(self, element: Element, lengths: dict[int, int]) -> np.dtype:
        fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
        for index, each in enumerate(element.properties):
            if each.length:
                fields.append((f"n{index}", self.order + each.length))
                fields.append((f"p{index}", self.order + each.kind, (lengths[index],)))
            else:
                fields.append((f"p{index}", self.order + each.kind))
        return np.dtype(fields)

    def _one_by_one(self, element: Element) -> Rows:
        """Where lists are of different lengths; each row is at least a byte."""
        if element.count > len(self.body) - self.at:
            raise cut(element)
        parts = [struct.Struct(self.order + _CODES[each.length or each.kind])
                 for each in element.properties]  # fmt: skip
        found: list[list] = [[] for _ in element.properties]
        try:
            for _ in range(element.count):
                for each, part, values in zip(element.properties, parts, found, strict=True):
                    values.append(self._value(each, part))
        except struct.error as error:
            raise cut(element) from error
        return loose(element, found)

    def _value(self, each: Property, part: struct.Struct) -> int | float | tuple:
        (value,) = part.unpack_from(self.body, self.at)
        self.at += part.size
        if each.length is None:
            return value
        size = np.dtype(each.kind).itemsize * int(value)
        if not 0 <= size <= len(self.body) - self.at:
            raise struct.error
        self.at += size
        return struct.unpack_from(f"{self.order}{int(value)}{_CODES[each.kind]}", self.body,
                                  self.at - size)  # fmt: skip


_CODES = {
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "i8": "q",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
}


def _numbers(element: Element, rows: np.ndarray) -> dict[str, np.ndarray]:
    pairs = enumerate(element.properties)
    return {each.name: rows[f"p{i}"] for i, each in pairs if each.length is None}


def _equal_lists(element: Element, rows: np.ndarray) -> dict[str, Polygons]:
    pairs = enumerate(element.properties)
    return {each.name: Polygons.equal(rows[f"p{i}"]) for i, each in pairs if each.length}


def loose(element: Element, found: list[list]) -> Rows:
    """From the values of each property, row by row."""
    pairs = list(zip(element.properties, found, strict=True))
    numbers = {each.name: np.array(values) for each, values in pairs if each.length is None}
    return numbers, {each.name: Polygons.loose(values) for each, values in pairs if each.length}
