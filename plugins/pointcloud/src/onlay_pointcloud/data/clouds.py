"""The data sets behind every layout of labelled clouds.

Shapes: M = `npoints` that are shown; where further columns were asked for, there are 3 + E.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from onlay_pointcloud.data.augment import Augment, dropped
from onlay_pointcloud.data.kept import Kept
from onlay_pointcloud.data.preprocess import Source
from onlay_pointcloud.data.sampling import drawn, farthest, fixed, pool_size


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Sources, the target of each, its name in messages, and how they become tensors."""

    sources: Sequence[Source]
    targets: Sequence[Any]
    names: Sequence[str]
    load: Callable[[Source, str], Tensor]
    npoints: int

    def cloud(self, index: int) -> Tensor:
        """All points (N, 3), normalised."""
        return self.load(self.sources[index], f"`{self.names[index]}`")

    def shown(self, index: int) -> Tensor:
        """The points (M, 3) that are shown where nothing is left to chance."""
        cloud = self.cloud(index)
        return cloud[fixed(cloud[:, :3], self.npoints)]

    def pool(self, index: int) -> Tensor:
        """The farthest points that random parts are drawn from."""
        cloud = self.cloud(index)
        return cloud[farthest(cloud[:, :3], pool_size(self.npoints))]


class TrainingClouds(Dataset[tuple[Tensor, Any]]):
    """Items `(cloud (M, 3) float32, target)`: random points, changed by `augment`, drawn from
    torch's global generator; up to a share `drop` of them is lost."""

    def __init__(self, clouds: Labelled, augment: Augment | None, *, drop: float = 0.0) -> None:
        self.clouds, self.augment, self.kept = clouds, augment, Kept(clouds.pool)
        self.drop = drop

    @property
    def plain(self) -> Dataset[tuple[Tensor, Any]]:
        """The same clouds as in evaluation."""
        return Clouds(self.clouds, self.augment)

    def __len__(self) -> int:
        return len(self.clouds.sources)

    @property
    def targets(self) -> Sequence[Any]:
        """Of every item, in order."""
        return self.clouds.targets

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        pool = self.kept[index]
        cloud = pool[drawn(len(pool), self.clouds.npoints)]
        if self.drop:
            cloud = cloud[dropped(len(cloud), self.drop)]
        return _moved(cloud, self.augment), self.clouds.targets[index]


class Clouds(Dataset[tuple[Tensor, Any]]):
    """Items `(cloud (M, 3) float32, target)`, the same every time; ballots are changed by
    `augment`, what training does to clouds."""

    def __init__(self, clouds: Labelled, augment: Augment | None = None) -> None:
        self.clouds, self.augment = clouds, augment
        self.kept, self.pools = Kept(clouds.shown), Kept(clouds.pool)

    def __len__(self) -> int:
        return len(self.clouds.sources)

    @property
    def sources(self) -> Sequence[Source]:
        """Of every item, in order."""
        return self.clouds.sources

    @property
    def targets(self) -> Sequence[Any]:
        """Of every item, in order."""
        return self.clouds.targets

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        return self.kept[index].clone(), self.clouds.targets[index]

    def votes(self, number: int) -> Dataset[tuple[Tensor, Any]]:
        """The same clouds as the ballot `number` sees them: other random points, each cloud changed
        as in training (scaled and shifted, turned, or not at all); the same for the same number.

        The mean of an adapted model's logits over some ballots is what the literature calls voting.
        """
        return Ballot(self, number)


class Ballot(Dataset[tuple[Tensor, Any]]):
    """What `Clouds.votes` gives."""

    def __init__(self, part: Clouds, number: int) -> None:
        self.clouds, self.pools, self.augment = part.clouds, part.pools, part.augment
        self.number = number

    def __len__(self) -> int:
        return len(self.clouds.sources)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        # torch's generator looks at 32 bits of its seed alone
        seed = np.random.SeedSequence((self.number, index)).generate_state(1)
        chance = torch.Generator().manual_seed(int(seed[0]))
        pool = self.pools[index]
        cloud = pool[drawn(len(pool), self.clouds.npoints, chance)]
        return _moved(cloud, self.augment, chance), self.clouds.targets[index]


def _moved(
    cloud: Tensor, augment: Augment | None, generator: torch.Generator | None = None
) -> Tensor:
    """Coordinates alone change; further columns stay."""
    if augment is None:
        return cloud
    return torch.cat([augment(cloud[:, :3], generator), cloud[:, 3:]], dim=1)
