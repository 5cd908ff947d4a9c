"""From what a mask stores, numbers or colours, to places among the classes.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onlay.errors import DataError
from onlay.reading.judging import unknown_labels
from onlay.reading.listing import some
from onlay.tasks.class_maps import VOID
from onlay_image.data.values import Stored

UNKNOWN = -2
"""Of what is no class while a mask is read."""
_NUMBERS = 2**16


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """What masks of one data set mean."""

    labels: tuple[str, ...]
    """The classes, in order."""
    stored: Mapping[int, int]
    """Of a number, or of a colour as 65536 r + 256 g + b, the place of its class, or `VOID`."""
    rest: int = UNKNOWN
    """Of every other one."""
    coloured: bool = False

    def numbers(self, found: Stored, path: Path) -> np.ndarray:
        """Classes (H, W) int16, void where they are not counted.

        Raises:
            DataError: colours where numbers are meant, or a value that is no class; says where.
        """
        values = self._codes(found, path)
        classes = _looked_up(values, self.stored, self.rest)
        unknown = classes == UNKNOWN
        if unknown.any():
            row, column = (int(n) for n in np.argwhere(unknown)[0])
            raise DataError(self._stranger(int(values[row, column]), row, column, path))
        return classes

    def _codes(self, found: Stored, path: Path) -> np.ndarray:
        values = found.values
        if self.coloured:
            return _colours(found)
        if values.ndim == 3:
            row, column = (int(n) for n in np.argwhere(values.max(-1) != values.min(-1))[0])
            raise DataError(
                f"`{path}` is a mask in colours (row {row}, column {column} is"
                f" {values[row, column].tolist()}), and classes are told by numbers: say what the"
                " colours mean, `data.colours` ({sky: [128, 128, 128]}), or give masks whose pixels"
                " are class numbers"
            )
        if values.dtype.kind != "f":
            return values
        if not np.isfinite(values).all() or not (values == np.floor(values)).all():
            raise DataError(f"`{path}` holds `{values.dtype}` that are no whole numbers")
        return values.astype(np.int64)

    def _stranger(self, value: int, row: int, column: int, path: Path) -> str:
        what = f"colour {list(colour(value))}" if self.coloured else f"value {value}"
        known = [self._shown(value) for value in self.stored]
        means = f"`data.{'colours' if self.coloured else 'values'}`"
        return (
            f"`{path}` has the {what} (row {row}, column {column}), which is no class (known:"
            f" {some(known)}):"
            f" say in {means} what it means, or name it in `data.void` if it is not to be counted"
        )

    def _shown(self, value: int) -> str:
        place = self.stored[value]
        name = "void" if place == VOID else self.labels[place]
        return f"{list(colour(value)) if self.coloured else value} {name}"

    def renumbered(self, labels: Sequence[str]) -> ClassTable:
        """For a model that has these classes.

        Raises:
            DataError: it does not know one of ours.
        """
        if unknown := [label for label in self.labels if label not in labels]:
            raise unknown_labels("masks", unknown, labels)
        places = {place: labels.index(label) for place, label in enumerate(self.labels)}
        stored = {value: places.get(place, place) for value, place in self.stored.items()}
        rest = places.get(self.rest, self.rest)
        return replace(self, labels=tuple(labels), stored=stored, rest=rest)


def code(rgb: Sequence[int]) -> int:
    """One number for red, green and blue."""
    red, green, blue = rgb
    return red << 16 | green << 8 | blue


def colour(value: int) -> tuple[int, int, int]:
    """Red, green and blue of such a number."""
    return value >> 16, value >> 8 & 255, value & 255


def _colours(found: Stored) -> np.ndarray:
    """One number for the colour of each pixel; grey has three alike."""
    values = found.values if found.palette is None else found.palette[found.values]
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, -1)
    return values.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])


def _looked_up(values: np.ndarray, stored: Mapping[int, int], rest: int) -> np.ndarray:
    """The place of each value; a table of all where numbers are small, else of those there are."""
    if values.min() >= 0 and values.max() < _NUMBERS:
        table = np.full(int(values.max()) + 1, rest, np.int16)
        for value, place in stored.items():
            if 0 <= value < len(table):
                table[value] = place
        return table[values]
    found, places = np.unique(values, return_inverse=True)
    table = np.array([stored.get(int(value), rest) for value in found], np.int16)
    return table[places.reshape(values.shape)]
