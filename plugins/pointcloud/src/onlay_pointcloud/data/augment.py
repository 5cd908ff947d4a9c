"""What chance does to clouds while they are trained on.

Each takes the coordinates (N, 3) of one cloud and gives new ones; numbers are drawn from
`generator`, by default torch's global one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from onlay_pointcloud.data.config import CloudPreprocess

Augment = Callable[..., Tensor]


def scale_translate(points_N3: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Each axis scaled by U(2/3, 3/2) and then shifted by U(-0.2, 0.2), all points alike."""
    scale = torch.empty(3).uniform_(2 / 3, 3 / 2, generator=generator)
    return points_N3 * scale + torch.empty(3).uniform_(-0.2, 0.2, generator=generator)


def isotropic(points_N3: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """All axes scaled by one U(0.8, 1.25) and each shifted by U(-0.1, 0.1)."""
    scale = torch.empty(1).uniform_(0.8, 1.25, generator=generator)
    return points_N3 * scale + torch.empty(3).uniform_(-0.1, 0.1, generator=generator)


def rotate(points_N3: Tensor, generator: torch.Generator | None = None, *, axis: str) -> Tensor:
    """Turned by U(0, 2π) about `axis`, y or z."""
    angle = torch.empty(()).uniform_(0, 2 * pi, generator=generator)
    return points_N3 @ rotation(angle, axis)


def rotation(angle: Tensor, axis: str) -> Tensor:
    """The matrix R (3, 3) of p R, as in the published code; about z, the same with its axes
    renamed."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros(()), torch.ones(())
    rows = {
        "y": (c, zero, s, zero, one, zero, -s, zero, c),
        "z": (c, s, zero, -s, c, zero, zero, zero, one),
    }
    return torch.stack(rows[axis]).view(3, 3)


def jitter(
    points_N3: Tensor, generator: torch.Generator | None = None, *, sigma: float, clip: float
) -> Tensor:
    """Normal noise of deviation `sigma` on every coordinate, cut off at `clip`."""
    noise = torch.empty_like(points_N3).normal_(0, sigma, generator=generator)
    return points_N3 + noise.clamp_(-clip, clip)


def dropped(points: int, ratio: float) -> Tensor:
    """Indices (N,) of a cloud that loses a share U(0, `ratio`) of its points by chance; the first
    point stands in the place of each."""
    index = torch.arange(points)
    return index.masked_fill_(torch.rand(points) < ratio * torch.rand(()), 0)


def chosen(config: CloudPreprocess) -> Augment | None:
    """What `augment` names and the jitter behind it, or `None`."""
    moved = _moves(config)
    if not config.jitter_sigma:
        return moved
    noise = partial(jitter, sigma=config.jitter_sigma, clip=config.jitter_clip)
    return noise if moved is None else partial(_after, moved, noise)


def _after(
    first: Augment, then: Augment, points_N3: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    return then(first(points_N3, generator), generator)


def _moves(config: CloudPreprocess) -> Augment | None:
    if config.augment == "rotate":
        return partial(rotate, axis=config.rotate_axis)
    return {"none": None, "scale_translate": scale_translate, "isotropic": isotropic}[
        config.augment
    ]
