"""Which points of a cloud the network is shown.

Shapes: N points of a cloud, M = `npoints` that are shown.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onlay_pointcloud.ops.sampling import farthest_point_sample

_POOLS = {8192: 8192}


def pool_size(npoints: int) -> int:
    """How many farthest points a training cloud is drawn from: 1,200 for 1,024, 2,400 for 2,048,
    4,800 for 4,096 and all 8,192, as published; other numbers in the ratio of the first three."""
    return _POOLS.get(npoints, npoints * 75 // 64)


def farthest(points_N3: Tensor, count: int) -> Tensor:
    """Indices of `count` farthest points from the first one on; of fewer points, or just as many,
    all in their order."""
    if count >= len(points_N3):
        return torch.arange(len(points_N3))
    return farthest_point_sample(points_N3[None], count)[0]


def fixed(points_N3: Tensor, npoints: int) -> Tensor:
    """Indices (M,) without chance; of fewer points, all, and again from the first one on."""
    index = farthest(points_N3, npoints)
    return index if len(index) == npoints else torch.arange(npoints) % len(index)


def drawn(size: int, npoints: int, generator: torch.Generator | None = None) -> Tensor:
    """Indices (M,) of a random part of `size` points; of fewer points, all, and some twice."""
    index = torch.randperm(size, generator=generator)[:npoints]
    more = torch.randint(size, (npoints - len(index),), generator=generator)
    return torch.cat([index, more])
