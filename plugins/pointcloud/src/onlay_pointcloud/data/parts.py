"""Clouds each point of which has a label.

Shapes: N points of a cloud, M = `npoints` that are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from onlay_pointcloud.data.augment import Augment, dropped
from onlay_pointcloud.data.kept import Kept
from onlay_pointcloud.data.preprocess import Loader
from onlay_pointcloud.data.sampling import drawn, farthest, fixed, pool_size


@dataclass(frozen=True, kw_only=True)
class PartFiles:
    """Files, the category of each, and how they become tensors."""

    paths: Sequence[Path]
    categories: Sequence[int]
    read: Callable[[Path, int], tuple[np.ndarray, np.ndarray]]
    """From a file and its category to points (N, 3) and their labels (N,)."""
    load: Loader
    npoints: int
    replacement: bool
    """Points are drawn with replacement, from all."""

    def whole(self, index: int) -> Tensor:
        """(N, 4): coordinates, normalised, and label."""
        path = self.paths[index]
        points, labels = self.read(path, self.categories[index])
        labels_N1 = torch.from_numpy(labels.astype(np.float32)).unsqueeze(1)
        return torch.cat([self.load(points, f"`{path}`"), labels_N1], dim=1)

    def shown(self, index: int) -> Tensor:
        """The points (M, 4) that are shown in evaluation."""
        whole = self.whole(index)
        if self.replacement:
            chance = torch.Generator().manual_seed(index)
            return whole[torch.randint(len(whole), (self.npoints,), generator=chance)]
        return whole[fixed(whole[:, :3], self.npoints)]

    def pool(self, index: int) -> Tensor:
        """What training draws from."""
        whole = self.whole(index)
        return whole if self.replacement else whole[self._farthest(whole)]

    def draw(self, pool: Tensor) -> Tensor:
        """Random points (M, 4) of a pool, from torch's global generator."""
        if self.replacement:
            return pool[torch.randint(len(pool), (self.npoints,))]
        return pool[drawn(len(pool), self.npoints)]

    def item(self, labelled_M4: Tensor, index: int, augment: Augment | None) -> Item:
        points, labels = labelled_M4[:, :3], labelled_M4[:, 3].long()
        category = points.new_full((len(points), 1), self.categories[index])
        return torch.cat([augment(points) if augment else points, category], dim=1), labels

    def _farthest(self, whole: Tensor) -> Tensor:
        return farthest(whole[:, :3], pool_size(self.npoints))


Item = tuple[Tensor, Tensor]
"""A cloud (M, 4) float32, its last column the number of its category; labels (M,) int64."""


class TrainingParts(Dataset[Item]):
    """Items of random points, changed by `augment`; up to a share `drop` of them is lost."""

    def __init__(self, files: PartFiles, augment: Augment | None, *, drop: float = 0.0) -> None:
        self.files, self.augment, self.kept = files, augment, Kept(files.pool)
        self.drop = drop

    def __len__(self) -> int:
        return len(self.files.paths)

    def __getitem__(self, index: int) -> Item:
        labelled_M4 = self.files.draw(self.kept[index])
        if self.drop:
            labelled_M4 = labelled_M4[dropped(len(labelled_M4), self.drop)]
        return self.files.item(labelled_M4, index, self.augment)


class Parts(Dataset[Item]):
    """Items that are the same every time."""

    def __init__(self, files: PartFiles) -> None:
        self.files, self.kept = files, Kept(files.shown)

    def __len__(self) -> int:
        return len(self.files.paths)

    def __getitem__(self, index: int) -> Item:
        return self.files.item(self.kept[index], index, None)
