"""The rows of a `.ply` file that is text, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.ply_rows import Element, Property, Rows, cut, loose
from onlay_pointcloud.data.rows import numbers


class Text:
    """Rows of numbers between blanks and line ends of any kind."""

    def __init__(self, body: memoryview) -> None:
        self.tokens, self.at = bytes(body).split(), 0

    def take(self, element: Element) -> Rows:
        """The rows of the next element."""
        width = len(element.properties)
        if not element.count or not width:
            return {}, {}
        if element.count * width > len(self.tokens) - self.at:
            raise cut(element)
        if element.lists:
            return self._one_by_one(element)
        end = self.at + element.count * width
        rows = numbers(self.tokens[self.at : end]).reshape(element.count, width)
        self.at = end
        pairs = enumerate(element.properties)
        return {each.name: _rounded(rows[:, i], each.kind) for i, each in pairs}, {}

    def finish(self) -> None:
        """Raise `Malformed` where there is more than the header says: then its rows are wider, and
        numbers of one point were read as those of the next."""
        if self.at < len(self.tokens):
            have = len(self.tokens)
            raise Malformed(f"its header promises {self.at:,} numbers and it has {have:,}")

    def _one_by_one(self, element: Element) -> Rows:
        found: list[list] = [[] for _ in element.properties]
        for _ in range(element.count):
            for each, values in zip(element.properties, found, strict=True):
                values.append(self._value(each, element))
        return loose(element, found)

    def _value(self, each: Property, element: Element) -> float | tuple:
        count = 1
        if each.length:
            count = int(self._next(1, element)[0])
        values = self._next(count, element)
        return tuple(values) if each.length else values[0]

    def _next(self, count: int, element: Element) -> Sequence[float]:
        if not 0 <= count <= len(self.tokens) - self.at:
            raise cut(element)
        self.at += count
        tokens = self.tokens[self.at - count : self.at]
        with suppress(ValueError):  # of a few words faster than numpy
            return [float(token) for token in tokens]
        return numbers(tokens).tolist()


def _rounded(column: np.ndarray, kind: str) -> np.ndarray:
    """As its type can hold it, which other readers show; whole numbers are left alone."""
    return column.astype(kind) if kind[0] == "f" else column
