"""AdaptFormer (Chen et al., NeurIPS 2022, arXiv:2205.13535, section 3.2).

Shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn

from onlay.narrow import Widening
from onlay_baselines.shown import UPDATE, UPDATE_MEANING, share

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.bottlenecks import AdaptformerConfig


class ParallelBottleneck(nn.Module):
    """s * up(dropout(ReLU(down(x)))), (B, T, D); 0 at the start."""

    unfoldable = "an activation stands between its layers"
    shown = UPDATE
    meaning = UPDATE_MEANING

    def __init__(self, width: int, config: AdaptformerConfig) -> None:
        super().__init__()
        self.down = nn.Linear(width, config.bottleneck, bias=config.bias)
        self.up = Widening(config.bottleneck, width, bias=config.bias)
        self.dropout, self.scale = nn.Dropout(config.dropout), config.scale
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)
        if config.bias:
            nn.init.zeros_(self.down.bias)
            nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.up(self.dropout(self.down(x).relu()))

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return share(output, x)


def attach(place: Placement, config: AdaptformerConfig) -> None:
    """Outside LayerScale and drop-path: from the stream behind attention to the block's end."""
    for block in place.blocks:
        module = ParallelBottleneck(block.width, config)
        place.branch(block.site("mlp.res"), block.site("block.out"), module)


def count(config: AdaptformerConfig, anatomy: Anatomy) -> int:
    """2 D d for each block, with biases d + D more."""
    return sum(
        2 * b.width * config.bottleneck + config.bias * (config.bottleneck + b.width)
        for b in anatomy.blocks
    )
