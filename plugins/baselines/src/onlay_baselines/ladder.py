"""Ladder side tuning (Sung et al., NeurIPS 2022, arXiv:2206.06522, section 3).

The paper is about language; that each side block is a pre-norm block of a vision transformer is a
reading.

Shapes: B batch, T tokens, D width of the backbone, d width of the ladder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.errors import ConfigError
from onlay.figures import Figures

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.tokens import LadderConfig


class Rung(nn.Module):
    """From the backbone's x (B, T, D) and the ladder's h (B, T, d): both mixed by a gate, then one
    narrow block."""

    shown = "share of the ladder"
    meaning = (
        "Of what a step of the ladder begins with, the part that comes from the step below, by"
        " size; the rest comes from the backbone."
    )

    def __init__(self, width: int, side: int, heads: int, temperature: float, block: int) -> None:
        super().__init__()
        self.block = block
        self.down = _lower(width, side)
        self.alpha, self.temperature = nn.Parameter(torch.zeros(1)), temperature
        self.norm1, self.norm2 = nn.LayerNorm(side), nn.LayerNorm(side)
        self.qkv, self.proj = nn.Linear(side, 3 * side), nn.Linear(side, side)
        self.fc1, self.fc2 = nn.Linear(side, 4 * side), nn.Linear(4 * side, side)
        self.heads = heads

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        own, other = self._parts(x, h)
        h = own + other
        h = h + self._attended(self.norm1(h))
        return h + self.fc2(F.gelu(self.fc1(self.norm2(h))))

    def _parts(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        below = (self.alpha / self.temperature).sigmoid()
        return below * h, (1 - below) * self.down(x)

    def shows(self, x: Tensor, h: Tensor, output: Tensor) -> Tensor:
        own, other = (part.norm(dim=-1, keepdim=True) for part in self._parts(x, h))
        return own / (own + other).clamp_min(1e-12)

    def figures(self) -> Figures:
        """How far its gate is open to the step below."""
        below = (self.alpha / self.temperature).sigmoid().item()
        return Figures({f"ladder/gate/block_{self.block:02}": below})

    def _attended(self, h: Tensor) -> Tensor:
        q, k, v = self.qkv(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).flatten(2))


class Silence(nn.Module):
    """Zeros in the place of the backbone's last tokens."""

    unfoldable = "a network at the side has no place in the backbone"

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Top(nn.Module):
    """What the head reads instead of the backbone's last tokens: up(norm(h)), all tokens."""

    unfoldable = Silence.unfoldable

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.norm, self.up = nn.LayerNorm(side), nn.Linear(side, width)

    def forward(self, h: Tensor) -> Tensor:
        return self.up(self.norm(h))


def _lower(width: int, side: int) -> nn.Linear:
    layer = nn.Linear(width, side)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


def attach(place: Placement, config: LadderConfig) -> None:
    """A rung at the end of each block; the head reads the ladder alone.

    Raises:
        ConfigError: a width that the reduction, or the ladder's width that the heads do not divide.
    """
    first, *_ = place.blocks
    side = side_of(first.width, first.heads, config)
    h = place.carry(place.site("tokens.in"), _lower(first.width, side))
    for block in place.blocks:
        rung = Rung(block.width, side, block.heads, config.temperature, block.index)
        h = place.carry([block.site("block.out"), h], rung)
    last = place.site("norm.out")
    place.rewrite(last, Silence())
    place.branch(h, last, Top(side, first.width))


def side_of(width: int, heads: int, config: LadderConfig) -> int:
    """The ladder's width."""
    side = width // config.reduction
    if width % config.reduction or side % heads:
        raise ConfigError(
            f"`method.reduction` {config.reduction} makes of the width {width} no ladder whose"
            f" width is a multiple of the {heads} heads: take a divisor of {width // heads}"
        )
    return side


def count(config: LadderConfig, anatomy: Anatomy) -> int:
    """L (D d + d) + (D d + d) + L (12 d² + 13 d) + L + 2 d + (d D + D)."""
    depth, width = len(anatomy.blocks), anatomy.blocks[0].width
    d = width // config.reduction
    lowered = width * d + d
    return (depth + 1) * lowered + depth * (12 * d * d + 13 * d + 1) + 2 * d + (d + 1) * width
