"""Ladders beside a backbone, and branches across its blocks."""

from __future__ import annotations

import torch
from torch import nn


class Rung(nn.Module):
    """h + gelu(x A): one step of a side network; without h it is the first."""

    def __init__(self, width: int = 16, side: int = 4, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.down = nn.Parameter(0.3 * torch.randn(width, side, generator=g))

    def forward(self, x, h=0):
        return h + nn.functional.gelu(x @ self.down)


class Up(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(0.3 * torch.randn(4, 16, generator=torch.Generator().manual_seed(9)))

    def forward(self, h):
        return h @ self.up


def ladder(place):
    h = None
    for block in place.blocks:
        own = block.site("block.out")
        h = place.carry([own] if h is None else [own, h], Rung(seed=block.index))
    place.branch(h, place.site("norm.out"), Up())
