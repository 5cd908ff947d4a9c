"""Prefix tuning (Li and Liang, ACL 2021, arXiv:2101.00190, section 4), stored flat.

Shapes: P rows, E the width of all heads together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay_baselines.shown import folded
from onlay_baselines.updates import keys_width

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.tokens import PrefixConfig


class Rows(nn.Module):
    """P learnt keys and values, side by side: (1, P, 2 E), normal of deviation 0.02."""

    pictured = "keys and values"
    meaning = (
        "The learnt keys, then the learnt values, each row by row: what every token may attend to"
        " beside the others. The same for every input."
    )

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(0.02 * torch.randn(1, rows, 2 * width))

    def forward(self) -> Tensor:
        return self.rows

    def pictures(self, output: Tensor) -> Tensor:
        return folded(torch.cat(self.rows[0].chunk(2, -1)))


def attach(place: Placement, config: PrefixConfig) -> None:
    for block in place.blocks:
        place.extend(block, Rows(config.rows, keys_width(block)), count=config.rows)


def count(config: PrefixConfig, anatomy: Anatomy) -> int:
    """2 P E for each block."""
    return 2 * config.rows * sum(keys_width(block) for block in anatomy.blocks)
