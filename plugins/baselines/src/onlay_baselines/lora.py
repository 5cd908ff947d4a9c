"""LoRA (Hu et al., ICLR 2022, arXiv:2106.09685, section 4.1).

Shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Affine
from onlay.narrow import widened
from onlay_baselines.shown import WEIGHTS, WEIGHTS_MEANING, pooled
from onlay_baselines.updates import refuse_above, shape_of, update

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.weights import LoraConfig


class LowRank(nn.Module):
    """scale * B A dropout(x), (B, T, out); 0 at the start."""

    pictured = WEIGHTS
    meaning = WEIGHTS_MEANING

    def __init__(self, inputs: int, outputs: int, config: LoraConfig) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(config.rank, inputs))
        self.up = nn.Parameter(torch.zeros(outputs, config.rank))
        size = math.sqrt(config.rank) if config.rank_stabilized else config.rank
        self.scale, self.dropout = config.alpha / size, config.dropout
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        h = F.linear(F.dropout(x, self.dropout, self.training), self.down)
        return widened(h, self.up * self.scale)

    def affine(self) -> Affine:
        return Affine(self.scale * self.up @ self.down)

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        return pooled(self.scale * self.up @ self.down)


def attach(place: Placement, config: LoraConfig) -> None:
    for block in place.blocks:
        for name in config.targets:
            sizes = shape_of(block, name)
            refuse_above("rank", config.rank, min(sizes), f"`{name}`")
            update(place, block, name, LowRank(*sizes, config))


def count(config: LoraConfig, anatomy: Anatomy) -> int:
    """r (in + out) for each map."""
    sizes = (sum(shape_of(b, name)) for b in anatomy.blocks for name in config.targets)
    return config.rank * sum(sizes)
