"""IA3 (Liu et al., NeurIPS 2022, arXiv:2205.05638, section 3.3).

Shapes: D width of a site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.anatomy import Affine
from onlay.errors import AnatomyError
from onlay_baselines.shown import folded

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Block, Placement
    from onlay_baselines.config.weights import Ia3Config

SITES = {"k": "qkv.out.k", "v": "qkv.out.v", "mlp": "fc2.in"}


class Scale(nn.Module):
    """scale * x, (..., D); the identity at the start."""

    pictured = "scales"
    meaning = "How far each channel's scale is from 1, row by row. The same for every input."

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        return folded(self.scale[None] - 1)

    def affine(self) -> Affine:
        return Affine(self.scale)


def attach(place: Placement, config: Ia3Config) -> None:
    """On keys and values before they are split into heads, and on the MLP's hidden numbers.

    Raises:
        AnatomyError: keys are scaled and normalised behind it.
    """
    for block in place.blocks:
        if "k" in config.sites:
            refuse_normalised_keys(block)
        for name in config.sites:
            site = block.site(SITES[name])
            place.rewrite(site, Scale(site.width))


def refuse_normalised_keys(block: Block) -> None:
    """A norm of each head undoes the length that a scale gives."""
    norm = getattr(getattr(block.module, "attn", None), "k_norm", None)
    if norm is not None and not isinstance(norm, nn.Identity):
        raise AnatomyError(
            "this backbone normalises keys behind their map, which undoes most of a scale: leave"
            " `k` out of `method.sites`"
        )


def count(config: Ia3Config, anatomy: Anatomy) -> int:
    """6 D for each block where the MLP is 4 times as wide."""
    return sum(b.site(SITES[name]).width for b in anatomy.blocks for name in config.sites)
