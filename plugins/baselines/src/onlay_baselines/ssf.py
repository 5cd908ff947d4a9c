"""SSF (Lian et al., NeurIPS 2022, arXiv:2210.08823, section 3.2).

Shapes: D width of a site.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.anatomy import Affine
from onlay_baselines.shown import folded

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement, Site
    from onlay_baselines.config.weights import SsfConfig

OF_BLOCKS = ("attn.in", "qkv.out", "attn.out", "mlp.in", "fc1.out", "mlp.out")
OF_THE_WHOLE = ("embed.out", "norm.out")


class ScaleShift(nn.Module):
    """scale * x + shift, (..., D)."""

    pictured = "scales and shifts"
    meaning = (
        "How far each channel's scale is from 1, and its shift from 0, row by row. The same for"
        " every input."
    )

    def __init__(self, width: int, std: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(1 + std * torch.randn(width))
        self.shift = nn.Parameter(std * torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.scale)

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        return folded(torch.stack([self.scale - 1, self.shift]))

    def affine(self) -> Affine:
        return Affine(self.scale, self.shift)


def sites_of(anatomy: Anatomy) -> Iterator[Site]:
    """Of the whole as far as a backbone has them."""
    yield from (anatomy.sites[name] for name in OF_THE_WHOLE if name in anatomy.sites)
    yield from (block.site(name) for block in anatomy.blocks for name in OF_BLOCKS)


def attach(place: Placement, config: SsfConfig) -> None:
    """Behind patch embedding, both norms, all four maps of each block, and the last norm; before
    LayerScale and drop-path."""
    for site in sites_of(place.anatomy):
        place.rewrite(site, ScaleShift(site.width, config.init_std))


def count(config: SsfConfig, anatomy: Anatomy) -> int:
    """2 numbers for each channel: 22 D a block where the MLP is 4 times as wide, and 4 D."""
    return 2 * sum(site.width for site in sites_of(anatomy))
