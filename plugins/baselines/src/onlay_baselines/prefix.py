"""Prefix tuning (Li and Liang, ACL 2021, arXiv:2101.00190, section 4), stored flat.

Shapes: P rows, E the width of all heads together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay_baselines.updates import keys_width

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.tokens import PrefixConfig


class Rows(nn.Module):
    """P learnt keys and values, side by side: (1, P, 2 E), normal of deviation 0.02."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(0.02 * torch.randn(1, rows, 2 * width))

    def forward(self) -> Tensor:
        return self.rows


def attach(place: Placement, config: PrefixConfig) -> None:
    for block in place.blocks:
        place.extend(block, Rows(config.rows, keys_width(block)), count=config.rows)


def count(config: PrefixConfig, anatomy: Anatomy) -> int:
    """2 P E for each block."""
    return 2 * config.rows * sum(keys_width(block) for block in anatomy.blocks)
