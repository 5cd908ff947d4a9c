"""Ladder side tuning (Sung et al., NeurIPS 2022, arXiv:2206.06522, section 3).

Shapes: B batch, T tokens, D width of the backbone, S width of the ladder.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Anatomy, Placement
from onlay.errors import AnatomyError
from onlay_example_ladder.config import LadderConfig


class Rung(nn.Module):
    """x (B, T, D) and the h (B, T, S) of the rung below: mixed by a gate, then one narrow block."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, side)
        self.gate = nn.Parameter(torch.zeros(1))
        self.norm1, self.norm2 = nn.LayerNorm(side), nn.LayerNorm(side)
        self.qkv, self.proj = nn.Linear(side, 3 * side), nn.Linear(side, side)
        self.mlp = nn.Sequential(nn.Linear(side, 2 * side), nn.GELU(), nn.Linear(2 * side, side))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        share = self.gate.sigmoid()
        h = share * self.down(x) + (1 - share) * h
        q, k, v = self.qkv(self.norm1(h)).chunk(3, dim=-1)
        h = h + self.proj(F.scaled_dot_product_attention(q, k, v))
        return h + self.mlp(self.norm2(h))


def attach(place: Placement, config: LadderConfig) -> None:
    width = place.blocks[0].width
    if width % config.reduction:
        raise AnatomyError(f"`reduction` {config.reduction} does not divide the width {width}")
    side = width // config.reduction
    h = place.carry(place.site("tokens.in"), nn.Linear(width, side))
    for block in place.blocks:
        h = place.carry([block.site("block.out"), h], Rung(width, side))
    up = nn.Linear(side, width)
    nn.init.zeros_(up.weight), nn.init.zeros_(up.bias)
    place.branch(h, place.site("norm.out"), up)


def count(config: LadderConfig, anatomy: Anatomy) -> int:
    width = anatomy.blocks[0].width
    side = width // config.reduction
    rung = (width + 1) * side + 1 + 4 * side + 4 * side * (side + 1) + 4 * side**2 + 3 * side
    return (width + 1) * side + len(anatomy.blocks) * rung + (side + 1) * width
