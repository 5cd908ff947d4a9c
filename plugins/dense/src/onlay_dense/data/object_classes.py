"""The classes of objects: told by their numbers, or by a second map, which has the class of each
pixel.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onlay.errors import DataError
from onlay.reading.listing import some
from onlay_dense.data.whole_numbers import whole_numbers


@dataclass(frozen=True)
class Numbers:
    """What numbers in maps of objects mean."""

    divisor: int | None
    classes: Mapping[int, int]
    """Numbers of classes, and their places among the labels."""
    void: frozenset[int]

    def places(self, found: Sequence[int], numbers_HW: np.ndarray, path: Path) -> list[int | None]:
        """Of each object its class among the labels; None where it is no object."""
        return [self._place(number, path) for number in found]

    def _place(self, number: int, path: Path) -> int | None:
        if self.divisor is None:
            return next(iter(self.classes.values()))
        own = number // self.divisor
        if own in self.void:
            return None
        if own not in self.classes:
            known = some([str(number) for number in self.classes])
            raise DataError(
                f"`{path}` has the number {number}, of class {own} by a `data.divisor` of"
                f" {self.divisor}, and the classes are {known}: say in `data.values` what it means,"
                " or name it in `data.void` if it is no object"
            )
        return self.classes[own]


@dataclass(frozen=True)
class ClassMaps:
    """Of each object the class that most of its pixels have."""

    classes: Mapping[int, int]
    """Numbers of classes, and their places among the labels."""
    void: frozenset[int]
    """Numbers that have no say; an object of such pixels alone is none."""
    partners: Mapping[Path, Path]
    """Of each map of objects that of classes."""

    def places(self, found: Sequence[int], numbers_HW: np.ndarray, path: Path) -> list[int | None]:
        """Of each object its class among the labels, the first of several that have as many pixels;
        None where it is no object.

        Raises:
            DataError: no such map, one of another size, or with a number that is no class.
        """
        own = self._own(path)
        classes_HW = whole_numbers(own, "classes are told by numbers")
        if classes_HW.shape != numbers_HW.shape:
            raise DataError(
                f"`{own}` has {classes_HW.shape[0]} rows and {classes_HW.shape[1]} columns, and the"
                f" map of objects `{path}` {numbers_HW.shape[0]} and {numbers_HW.shape[1]}: both"
                " must be of one size"
            )
        return [self._place(number, numbers_HW == number, classes_HW, own) for number in found]

    def _own(self, path: Path) -> Path:
        if path not in self.partners:
            raise DataError(
                f"the classes of the objects in `{path}` are in a second map, which is not known:"
                " give a folder that holds images and both maps"
            )
        return self.partners[path]

    def _place(
        self, number: int, inside_HW: np.ndarray, classes_HW: np.ndarray, own: Path
    ) -> int | None:
        votes = {
            int(value): int(count)
            for value, count in zip(
                *np.unique(classes_HW[inside_HW], return_counts=True), strict=True
            )
            if int(value) not in self.void
        }
        if strangers := [value for value in votes if value not in self.classes]:
            row, column = np.argwhere(inside_HW & (classes_HW == strangers[0]))[0].tolist()
            known = some([str(value) for value in self.classes])
            raise DataError(
                f"`{own}` has the number {strangers[0]} (row {row}, column {column}, in object"
                f" {number}), which is no class (known: {known}): say in `data.values` what it"
                " means, or name it in `data.void` if it has no say"
            )
        return self.classes[max(votes, key=lambda value: votes[value])] if votes else None
