"""ARC (Adapter Re-Composing, NeurIPS 2023), its two modules and how they are placed.

Shapes: B batch, T tokens (or a map's height and width), D width, r rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Affine, refuse_wider
from onlay_arc.recomposing import recomposed

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_arc.config import ArcConfig, ArcSite


class SharedProjection(nn.Module):
    """U (D, r): the down-projection of the blocks that share it; transposed, the up-projection."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, rank))
        nn.init.xavier_uniform_(self.weight)


class Recomposed(nn.Module):
    """x becomes x + dropout(x U diag(s)) U^T + b, with a block's own s (1, r) and b (D,).

    s is a row because its Xavier bound in the authors' code, sqrt(6 / (r + 1)), comes from that.
    """

    shown = "recomposed part"
    meaning = "The size of what ARC adds to a token at a site, as a share of the token's."

    def __init__(self, shared: SharedProjection, *, dropout: float, rescale_init: str) -> None:
        super().__init__()
        width, rank = shared.weight.shape
        self.shared = shared
        self.rescale = nn.Parameter(torch.zeros(1, rank))
        self.bias = nn.Parameter(torch.zeros(width))
        self.dropout = nn.Dropout(dropout)
        if rescale_init == "xavier":
            nn.init.xavier_uniform_(self.rescale)

    def forward(self, x_BTD: Tensor) -> Tensor:
        U_Dr = self.shared.weight
        if self.training and not self.dropout.p:
            return recomposed(x_BTD, U_Dr, self.rescale, self.bias)
        h_BTr = self.dropout(x_BTD @ (U_Dr * self.rescale))
        return x_BTD + F.linear(h_BTr, U_Dr, self.bias)

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        """(B, T, 1), of a map row by row."""
        added, own = (t.flatten(1, -2).norm(dim=-1, keepdim=True) for t in (output - x, x))
        return added / own.clamp_min(1e-12)

    def affine(self) -> Affine:
        """The map of evaluation: the symmetric matrix I + U diag(s) U^T (D, D), and b (D,)."""
        U_Dr = self.shared.weight
        identity_DD = torch.eye(len(U_Dr), dtype=U_Dr.dtype, device=U_Dr.device)
        return Affine(identity_DD + (U_Dr * self.rescale) @ U_Dr.T, self.bias)


def attach(place: Placement, config: ArcConfig) -> None:
    """Rewrite what attention and MLP read; in each stage one U is shared for each of the two."""
    for stage in place.stages:
        refuse_wider("method.rank", config.rank, stage.width)
        for site in config.sites:
            shared = SharedProjection(stage.width, config.rank)
            for block in stage.blocks:
                target = block.site(placed(site, config, place.anatomy))
                place.rewrite(target, of_a_block(shared, site, config))


def of_a_block(shared: SharedProjection, site: ArcSite, config: ArcConfig) -> Recomposed:
    """A block's adapter; at the attention site it starts as the identity."""
    init = config.mlp_rescale_init if site == "mlp.in" else "zeros"
    return Recomposed(shared, dropout=config.dropout, rescale_init=init)


def placed(site: ArcSite, config: ArcConfig, anatomy: Anatomy) -> str:
    """The site to rewrite; as released, ARC on Swin rewrites the residual stream, not the input."""
    hierarchical = "hierarchical" in anatomy.provides
    as_released = config.swin_mlp_site == "residual_stream"
    return "mlp.res" if site == "mlp.in" and hierarchical and as_released else site


def count(config: ArcConfig, anatomy: Anatomy) -> int:
    """Sites * sum over stages of (D r + depth (r + D)), the head not counted."""
    total = 0
    for stage in anatomy.stages:
        total += stage.width * config.rank + len(stage.blocks) * (config.rank + stage.width)
    return total * len(config.sites)
