"""Which groups are near which.

Shapes: B batch, G groups, k neighbours, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.errors import ConfigError


def nearest(points_BGD: Tensor, count: int) -> Tensor:
    """Indices (B, G, k) of the nearest points of each, itself first, in float32.

    Raises:
        ConfigError: there are fewer points.
    """
    groups = points_BGD.shape[1]
    if count > groups:
        raise ConfigError(
            f"`method.neighbours` {count} is more than the {groups} groups of a cloud; take"
            f" {groups} or fewer"
        )
    with torch.autocast(points_BGD.device.type, enabled=False):
        wide = points_BGD.detach().float()
        return exact_distances(wide).topk(count, largest=False).indices


def exact_distances(points: Tensor) -> Tensor:
    """Of all pairs, each by itself: 0 from a point to itself, and the same in any batch."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def gathered(values_BGC: Tensor, indices_BGk: Tensor) -> Tensor:
    """Values (B, G, k, C) of the neighbours."""
    batch = torch.arange(values_BGC.shape[0], device=values_BGC.device)[:, None, None]
    return values_BGC[batch, indices_BGk]
