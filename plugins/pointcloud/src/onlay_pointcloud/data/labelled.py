"""Clouds each point of which has a class.

Shapes: N points of a cloud, M = `npoints` that are shown, E further columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from onlay_pointcloud.data.clouds import Clouds, TrainingClouds
from onlay_pointcloud.data.point_classes import PointClasses
from onlay_pointcloud.data.preprocess import Loader, Source

Item = tuple[Tensor, Tensor]
"""A cloud (M, 3 + E) float32; classes (M,) int64, -1 where a point has none."""


@dataclass(frozen=True)
class ClassLoader:
    """All points of a file with the place of their class behind them, normalised, float32
    (N, 3 + E + 1)."""

    load: Loader
    classes: PointClasses

    def __call__(self, source: Source, which: str = "a cloud") -> Tensor:
        """Raises:
        DataError: see `Loader` and `PointClasses.numbers`.
        """
        assert isinstance(source, Path), "classes are read from files"
        rows = self.load.measured(source)
        places_N = self.classes.numbers(rows[:, -1], f"`{source}`")
        return self.load.prepared(np.hstack([rows[:, :-1], places_N[:, None]]), f"`{source}`")


class Pointwise(Dataset[Item]):
    """The items of a part whose clouds end in a column of classes, as inputs and targets."""

    def __init__(
        self, part: TrainingClouds | Clouds, points: Sequence[Mapping[str, int]] | None = None
    ) -> None:
        self.part, self.points = part, points
        """`points`: how many of each class an item has, where that was counted beforehand."""

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> Item:
        cloud, _ = self.part[index]
        return cloud[:, :-1].contiguous(), cloud[:, -1].long()

    @property
    def clouds(self) -> Any:
        """Where the clouds come from."""
        return self.part.clouds

    @property
    def kept(self) -> Any:
        """What stays in memory."""
        return self.part.kept

    @property
    def plain(self) -> Pointwise | None:
        """The same clouds as in evaluation, of those that chance changes."""
        own = self.part
        return Pointwise(Clouds(own.clouds)) if isinstance(own, TrainingClouds) else None


def tally(load: Loader, paths: Sequence[Path]) -> list[Counter[int]]:
    """How many points of each file have which number; what is no whole number is rounded down.

    Raises:
        DataError: a file that cannot be read, or without classes.
    """
    return [tally_of(load.measured(path)[:, -1]) for path in paths]


def tally_of(values_N: np.ndarray) -> Counter[int]:
    """How many points have which number."""
    found, counts = np.unique(np.floor(values_N), return_counts=True)
    return Counter(dict(zip(found.astype(np.int64).tolist(), counts.tolist(), strict=True)))


def by_name(counts: Sequence[Counter[int]], classes: PointClasses) -> dict[str, int]:
    """The points of each class over several files."""
    total = sum(counts, Counter[int]())
    found = dict.fromkeys(classes.labels, 0)
    for value, count in total.items():
        place = classes.stored.get(value, -1)
        if place >= 0:
            found[classes.labels[place]] += count
    return found
