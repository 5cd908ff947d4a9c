"""PASTA, special token adaptation (Yang et al., EACL 2023, arXiv:2210.04382, section 3).

Shapes: B batch, T tokens, D width, P special tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay_baselines.shown import folded

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay.features import Layout
    from onlay_baselines.config.bottlenecks import PastaConfig


class AddToSpecial(nn.Module):
    """x (B, T, D) with a vector added to class token and registers, and to nothing that an adapter
    inserted."""

    unfoldable = "it acts on special tokens alone"
    pictured = "vectors of special tokens"
    meaning = "What is added to class token and registers, row by row. The same for every input."

    def __init__(
        self, width: int, special: int, config: PastaConfig, layout: Callable[[], Layout]
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(config.init_std * torch.randn(special, width))
        self.dropout, self.layout = nn.Dropout(config.dropout), layout

    def forward(self, x: Tensor) -> Tensor:
        added, special = self.dropout(self.vectors), len(self.vectors)
        inserted = self.layout().prefix - special
        spread = torch.cat([added[:1], added.new_zeros(inserted, x.shape[-1]), added[1:]])
        rest = added.new_zeros(x.shape[1] - len(spread), x.shape[-1])
        return x + torch.cat([spread, rest])

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        return folded(self.vectors)


def attach(place: Placement, config: PastaConfig) -> None:
    """At the entry of each block."""
    special = place.anatomy.prefix
    for block in place.blocks:
        module = AddToSpecial(block.width, special, config, place.layout(block))
        place.rewrite(block.site("block.in"), module)


def count(config: PastaConfig, anatomy: Anatomy) -> int:
    """P D for each block."""
    return anatomy.prefix * sum(b.width for b in anatomy.blocks)
