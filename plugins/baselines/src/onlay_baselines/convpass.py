"""Convpass (Jie and Deng, 2022, arXiv:2207.07039, section 3.3).

Shapes: B batch, T tokens, D width, h channels of the convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.narrow import Widening
from onlay_baselines.on_map import convolved
from onlay_baselines.shown import UPDATE, UPDATE_MEANING, share

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay.features import Layout
    from onlay_baselines.config.bottlenecks import ConvpassConfig

SITES = {"attn": ("attn.in", "mlp.res"), "mlp": ("mlp.in", "block.out")}
"""What is read, and where it is added: behind LayerScale and drop-path."""


def quick_gelu(z: Tensor) -> Tensor:
    """z * sigmoid(1.702 z)."""
    return z * (1.702 * z).sigmoid()


class Bypass(nn.Module):
    """s * up(dropout(q(conv(q(down(x)))))), (B, T, D) or (B, height, width, D); q is QuickGELU."""

    unfoldable = "activations stand between its layers"
    shown = UPDATE
    meaning = UPDATE_MEANING

    def __init__(self, width: int, config: ConvpassConfig, layout: Callable[[], Layout]) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, config.hidden), Widening(config.hidden, width)
        self.conv = nn.Conv2d(config.hidden, config.hidden, 3, padding=1)
        self.dropout, self.layout = nn.Dropout(config.dropout), layout
        self.scale, self.drop_path = config.scale, config.drop_path
        self._start(config.conv_init)

    def _start(self, conv_init: str) -> None:
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.zeros_(self.up.weight)
        if conv_init == "identity":
            nn.init.dirac_(self.conv.weight)
        else:
            nn.init.xavier_uniform_(self.conv.weight)
        for layer in (self.down, self.conv, self.up):
            nn.init.zeros_(layer.bias)  # pyrefly: ignore[bad-argument-type] # all have one

    def forward(self, x: Tensor) -> Tensor:
        h = convolved(quick_gelu(self.down(x)), self.layout, self.conv)
        return self._kept(self.scale * self.up(self.dropout(quick_gelu(h))))

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return share(output, x)

    def _kept(self, y: Tensor) -> Tensor:
        """Stochastic depth of this branch, by input."""
        if not (self.training and self.drop_path):
            return y
        shape = (y.shape[0],) + (1,) * (y.ndim - 1)
        keep = torch.rand(shape, device=y.device) >= self.drop_path
        return y * keep / (1 - self.drop_path)


def attach(place: Placement, config: ConvpassConfig) -> None:
    """Beside attention and MLP of each block; both read what the frozen part reads."""
    for block in place.blocks:
        for source, target in (SITES[name] for name in config.sites):
            module = Bypass(block.width, config, place.layout(block))
            place.branch(block.site(source), block.site(target), module)


def count(config: ConvpassConfig, anatomy: Anatomy) -> int:
    """2 D h + D + 2 h + 9 h² at each place."""
    h = config.hidden
    return len(config.sites) * sum(
        2 * b.width * h + b.width + 2 * h + 9 * h * h for b in anatomy.blocks
    )
