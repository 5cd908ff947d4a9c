"""Prefix tuning (Li and Liang, ACL 2021, arXiv:2101.00190, section 4.2), stored flat."""

import torch
from torch import Tensor, nn

from onlay.anatomy import Anatomy, Block, Placement
from onlay_example_prefix.config import PrefixConfig


class Prefix(nn.Module):
    """P learned keys and values, side by side: (1, P, 2 E), E the width of all heads together."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(0.02 * torch.randn(1, rows, width))

    def forward(self) -> Tensor:
        return self.rows


def keys_and_values(block: Block) -> int:
    """Two thirds of what makes q, k and v."""
    return 2 * block.site("qkv.out").width // 3


def attach(place: Placement, config: PrefixConfig) -> None:
    for block in place.blocks:
        prefix = Prefix(config.rows, keys_and_values(block))
        place.extend(block, prefix, count=config.rows)


def count(config: PrefixConfig, anatomy: Anatomy) -> int:
    return config.rows * sum(keys_and_values(block) for block in anatomy.blocks)
