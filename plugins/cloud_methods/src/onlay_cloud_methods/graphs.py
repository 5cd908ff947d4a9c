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
    refuse_more(count, points_BGD.shape[1])
    with torch.autocast(points_BGD.device.type, enabled=False):
        wide = points_BGD.detach().float()
        return exact_distances(wide).topk(count, largest=False).indices


def refuse_more(count: int, groups: int, setting: str = "neighbours") -> None:
    """
    Raises:
        ConfigError: there are fewer groups.
    """
    if count > groups:
        raise ConfigError(
            f"`method.{setting}` {count} is more than the {groups} groups of a cloud; take"
            f" {groups} or fewer"
        )


def exact_distances(points: Tensor) -> Tensor:
    """Of all pairs, each by itself: 0 from a point to itself, and the same in any batch."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def gathered(values_BGC: Tensor, indices_BGk: Tensor) -> Tensor:
    """Values (B, G, k, C) of the neighbours."""
    batch = torch.arange(values_BGC.shape[0], device=values_BGC.device)[:, None, None]
    return values_BGC[batch, indices_BGk]


def picked(values_BGC: Tensor, indices_BS: Tensor) -> Tensor:
    """Values (B, S, C) of some of the points."""
    return gathered(values_BGC, indices_BS[..., None])[:, :, 0]


def spread_out(points_BG3: Tensor, count: int) -> Tensor:
    """Indices (B, S) of points each of which is farthest from those before it; the first point is
    the first one."""
    rows = torch.arange(points_BG3.shape[0], device=points_BG3.device)
    last, chosen = torch.zeros_like(rows), []
    far_BG = points_BG3.new_full(points_BG3.shape[:2], torch.inf)
    for _ in range(count):
        chosen.append(last)
        squared = (points_BG3 - points_BG3[rows, last][:, None]).square().sum(-1)
        far_BG = torch.minimum(far_BG, squared)
        last = far_BG.argmax(1)
    return torch.stack(chosen, 1)
