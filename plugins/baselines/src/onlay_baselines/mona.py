"""Mona (Yin et al., CVPR 2025, arXiv:2408.08345, section 3.2).

Shapes: B batch, T tokens, D width, d bottleneck.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.narrow import Widening
from onlay_baselines.on_map import convolved
from onlay_baselines.shown import UPDATE, UPDATE_MEANING, share

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay.features import Layout
    from onlay_baselines.config.bottlenecks import MonaConfig

SITES = ("mlp.res", "block.out")
"""Behind the residual sums of attention and MLP."""
KERNELS = (3, 5, 7)


class MultiCognitive(nn.Module):
    """What is added to x (B, T, D): up(dropout(GELU(filtered(down(scaled norm of x))))).

    Nothing starts at 0, so the start is not the bare network.
    """

    unfoldable = "a norm and an activation stand between its layers"
    shown = UPDATE
    meaning = UPDATE_MEANING

    def __init__(self, width: int, config: MonaConfig, layout: Callable[[], Layout]) -> None:
        super().__init__()
        d = config.bottleneck
        self.norm, self.layout = nn.LayerNorm(width), layout
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))
        self.gamma_x = nn.Parameter(torch.ones(width))
        self.down, self.up = nn.Linear(width, d), Widening(d, width)
        self.depthwise = nn.ModuleList(
            nn.Conv2d(d, d, k, padding=k // 2, groups=d) for k in KERNELS
        )
        self.mix = nn.Conv2d(d, d, 1)
        self.dropout = nn.Dropout(config.dropout)
        for layer in (self.down, self.up):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        z = self.down(self.norm(x) * self.gamma + x * self.gamma_x)
        z = convolved(z, self.layout, self._filtered)
        return self.up(self.dropout(F.gelu(z)))

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return share(output, x)

    def _filtered(self, map_BdHW: Tensor) -> Tensor:
        found = [conv(map_BdHW) for conv in self.depthwise]
        z = map_BdHW + torch.stack(found).sum(0) / len(found)
        return z + self.mix(z)


def attach(place: Placement, config: MonaConfig) -> None:
    """In sequence behind both residual sums of each block."""
    for block in place.blocks:
        for name in SITES:
            module = MultiCognitive(block.width, config, place.layout(block))
            place.branch(block.site(name), block.site(name), module)


def count(config: MonaConfig, anatomy: Anatomy) -> int:
    """4 D + 2 D d + d + D + (9 + 25 + 49) d + 3 d + d² + d at each place."""
    d = config.bottleneck
    taps = sum(k * k for k in KERNELS) + len(KERNELS)
    own = d + taps * d + d * d + d
    return len(SITES) * sum(5 * b.width + 2 * b.width * d + own for b in anatomy.blocks)
