"""What the numbers mean that files have for the classes of their points.

Shapes: N points.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onlay.errors import DataError
from onlay.reading.judging import unknown_labels
from onlay.reading.listing import some

if TYPE_CHECKING:
    from onlay_pointcloud.data.labelled_config import PointClassesConfig

VOID = -1
MOST = 1000
"""Classes; of more different numbers nobody meant them as classes."""

LAS_CLASSES = {
    0: "never classified",
    1: "unclassified",
    2: "ground",
    3: "low vegetation",
    4: "medium vegetation",
    5: "high vegetation",
    6: "building",
    7: "low point",
    8: "model key point",
    9: "water",
    10: "rail",
    11: "road surface",
    12: "overlap",
    13: "wire guard",
    14: "wire conductor",
    15: "transmission tower",
    16: "wire connector",
    17: "bridge deck",
    18: "high noise",
    19: "overhead structure",
    20: "ignored ground",
    21: "snow",
    22: "temporal exclusion",
}
"""The standard classes of LAS 1.4 (ASPRS, revision 15, table 17)."""


@dataclass(frozen=True)
class PointClasses:
    """The classes of one data set, and the place of each stored number among them."""

    labels: tuple[str, ...]
    stored: Mapping[int, int]
    """-1 where points of that number are not counted."""
    discovered: bool = False
    """Nobody said what the numbers mean."""

    @property
    def values(self) -> dict[str, list[int]]:
        """The numbers of each class."""
        found: dict[str, list[int]] = {name: [] for name in self.labels}
        for value, place in self.stored.items():
            if place != VOID:
                found[self.labels[place]].append(value)
        return found

    @property
    def void(self) -> list[int]:
        """The numbers that are not counted."""
        return [value for value, place in self.stored.items() if place == VOID]

    def facts(self) -> dict[str, Any]:
        """For the bundle: what the numbers in files mean."""
        return {"class_values": self.values, "void_values": self.void}

    def numbers(self, values_N: np.ndarray, which: str) -> np.ndarray:
        """Places among the classes, int64 (N,); -1 where there is none.

        Raises:
            DataError: no whole numbers, or one that is no class; `which` names the cloud.
        """
        found, index_N, counts = np.unique(values_N, return_inverse=True, return_counts=True)
        broken = found[found != np.floor(found)]
        if len(broken):
            raise DataError(
                f"{which} has the label {broken[0]:g} (point {np.argmax(values_N == broken[0])}),"
                " and classes are whole numbers: choose their column with `data.label`"
            )
        whole = found.astype(np.int64).tolist()
        self.check(dict(zip(whole, counts.tolist(), strict=True)), which)
        return np.array([self.stored[value] for value in whole], np.int64)[index_N.reshape(-1)]

    def check(self, counts: Mapping[int, int], which: str) -> None:
        """Raise a `DataError` where one of the numbers is no class; `counts` has the points of
        each."""
        if strangers := [value for value in counts if value not in self.stored]:
            raise DataError(self._stranger(strangers[0], counts[strangers[0]], which))

    def _stranger(self, value: int, points: int, which: str) -> str:
        known = [f"{v} {'void' if p == VOID else self.labels[p]}" for v, p in self.stored.items()]
        return (
            f"{which} has {points:,} points of the label {value}, which is no class (known:"
            f" {some(known)}): say in `data.values` what it means, or name it in `data.void` if it"
            " is not to be counted"
        )

    def renumbered(self, labels: Sequence[str]) -> PointClasses:
        """For a model that has these classes.

        Raises:
            DataError: it does not know one of ours.
        """
        if unknown := [label for label in self.labels if label not in labels]:
            raise unknown_labels("clouds", unknown, labels)
        places = {place: labels.index(label) for place, label in enumerate(self.labels)}
        stored = {value: places.get(place, VOID) for value, place in self.stored.items()}
        return replace(self, labels=tuple(labels), stored=stored)


def point_classes(
    config: PointClassesConfig, occurring: Collection[int], *, las: bool
) -> PointClasses:
    """As the settings say; where they do not, `occurring` are the numbers in the files, and `las`
    says that all of these are LAS files.

    Raises:
        DataError: a void class or a listed one that there is not; no class at all, or too many.
    """
    told = config.values or (dict(enumerate(config.labels)) if config.labels else None)
    pairs = _discovered(config, occurring, las=las) if told is None else told
    names, dropped = list(dict.fromkeys(pairs.values())), {n for n in config.void if type(n) is str}
    _refuse(dropped - set(names), "data.void", names)
    classes = [name for name in names if name not in dropped]
    if config.labels is not None:
        _refuse(set(classes) - set(config.labels), "data.values", config.labels)
        classes = [name for name in config.labels if name not in dropped]
    places = {name: place for place, name in enumerate(classes)}
    stored = {value: places.get(name, VOID) for value, name in pairs.items()}
    stored |= {value: VOID for value in config.void if isinstance(value, int)}
    return PointClasses(tuple(classes), {VOID: VOID} | stored, told is None)


def _discovered(
    config: PointClassesConfig, occurring: Collection[int], *, las: bool
) -> dict[int, str]:
    found = sorted({*occurring} - {VOID, *(v for v in config.void if isinstance(v, int))})
    if not found:
        raise DataError(f"no point of the clouds in `{config.path}` has a class")
    if len(found) > MOST:
        raise DataError(
            f"the clouds in `{config.path}` have {len(found):,} different labels, too many for"
            " classes: choose their column with `data.label`"
        )
    return {v: LAS_CLASSES.get(v, str(v)) if las else str(v) for v in found}


def _refuse(strangers: Collection[str], setting: str, known: Collection[str]) -> None:
    if strangers:
        raise DataError(
            f"`{setting}` names {some(sorted(strangers))}, and the classes are {some([*known])}"
        )
