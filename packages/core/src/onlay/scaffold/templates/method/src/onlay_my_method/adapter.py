"""What the method computes, and where it stands in a backbone.

Shapes: B batch, T tokens, D width of the source, E width of the target, r rank.
"""

import torch
from onlay.anatomy import Affine, Anatomy, Placement
from torch import Tensor, nn

from .config import MyMethodConfig

# Where: any two sites of a block, or parts of one, such as "qkv.out.q" of "qkv.out". Along one
# linear map, as here, a linear branch merges.
SOURCE, TARGET = "attn.in", "qkv.out"


class ScaledLowRank(nn.Module):
    """x (B, T, D) becomes scale * x down^T up^T (B, T, E); starts at zero with its scale."""

    def __init__(self, width: int, out: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, width) / width**0.5)
        self.up = nn.Parameter(torch.randn(out, rank) / rank**0.5)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x @ self.down.T @ self.up.T)

    def affine(self) -> Affine:
        """The weight (E, D) that merging adds to the frozen one.

        A module that is not linear has no `affine`: it stays after a merge, which then
        says so, and `foldable` is not among its traits.
        """
        return Affine(self.scale * self.up @ self.down)


def attach(place: Placement, config: MyMethodConfig) -> None:
    """One branch in every block; `place` has `rewrite`, `insert` and `thaw`, too."""
    for block in place.blocks:
        source, target = block.site(SOURCE), block.site(TARGET)
        place.branch(
            source, target, ScaledLowRank(source.width, target.width, config.rank)
        )


def count(config: MyMethodConfig, anatomy: Anatomy) -> int:
    """r (D + E) + 1 for every block; compared with the truth at each attach."""
    return sum(
        config.rank * (block.site(SOURCE).width + block.site(TARGET).width) + 1
        for block in anatomy.blocks
    )
