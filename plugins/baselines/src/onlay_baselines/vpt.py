"""Visual prompt tuning (Jia et al., ECCV 2022, arXiv:2203.12119, section 3.2).

Shapes: P prompts, D width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay_baselines.shown import folded

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.tokens import VptConfig


class Prompts(nn.Module):
    """Learnt tokens (1, P, D), uniform in +-sqrt(6 / (3 p² + D)), p the side of a patch."""

    pictured = "prompts"
    meaning = "The learnt tokens, row by row. The same for every input."

    def __init__(self, prompts: int, width: int, patch: int, dropout: float) -> None:
        super().__init__()
        bound = math.sqrt(6 / (3 * patch**2 + width))
        self.tokens = nn.Parameter(torch.empty(1, prompts, width).uniform_(-bound, bound))
        self.dropout = nn.Dropout(dropout)

    def forward(self) -> Tensor:
        return self.dropout(self.tokens)

    def pictures(self, output: Tensor) -> Tensor:
        return folded(self.tokens[0])


def attach(place: Placement, config: VptConfig) -> None:
    """Right behind the class token, without positions."""
    patch, (first, *later) = patch_of(place.anatomy), place.blocks
    entry, deep = place.site("tokens.in"), config.kind == "deep"
    where = [(entry, first), *(zip(place.blocks, later, strict=False) if deep else ())]
    for come, block in where:
        prompts = Prompts(config.prompts, block.width, patch, config.dropout)
        until = block if deep and block is not place.blocks[-1] else None
        place.insert(come, prompts, count=config.prompts, until=until)


def patch_of(anatomy: Anatomy) -> int:
    """The side of a patch, of networks without patches 1."""
    stride = anatomy.stages[0].stride
    return 1 if stride is None else stride[0]


def count(config: VptConfig, anatomy: Anatomy) -> int:
    """P D, `deep` in each block."""
    blocks = anatomy.blocks if config.kind == "deep" else anatomy.blocks[:1]
    return config.prompts * sum(block.width for block in blocks)
