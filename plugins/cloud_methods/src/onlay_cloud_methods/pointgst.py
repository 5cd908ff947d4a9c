"""PointGST (Liang et al., TPAMI 2025, arXiv:2410.08114, section 3).

Shapes: B batch, T tokens, G groups, D width, r rank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.features import Layout, centres_of
from onlay_cloud_methods.spectra import Spectra, in_chunks, spectra
from onlay_cloud_methods.thawed import class_size, thaw_class_token

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_cloud_methods.config import PointgstConfig

KEPT = "_onlay_pointgst_spectra"
"""The attribute of centres that holds their spectra, for as long as the centres themselves."""


class Spectral(nn.Module):
    """up(SiLU(down(x)) + what the groups' spectra make of down(x)), (B, T, D); 0 at the start."""

    unfoldable = "eigenvectors depend on the cloud"
    shown = "by the spectrum"
    meaning = (
        "Length of what PointGST adds to each group through the spectra of the cloud's graphs."
    )

    def __init__(self, width: int, config: PointgstConfig, layout: Callable[[], Layout]) -> None:
        super().__init__()
        rank = config.rank
        self.down, self.up = nn.Linear(width, rank), nn.Linear(rank, width)
        self.shared = nn.Linear(rank, rank)
        self.norm_whole, self.norm_local = nn.LayerNorm(rank), nn.LayerNorm(rank)
        self.chunk, self.legacy, self.layout = config.chunk, config.legacy, layout
        self.plain = config.laplacian == "plain"
        nn.init.xavier_uniform_(self.down.weight)
        for layer in (self.up, self.shared):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        h_BTr = self.down(x_BTD)
        first = h_BTr.shape[1] - self.layout().count
        active, moved = F.silu(h_BTr), self._moved(h_BTr[:, first:])
        return self.up(torch.cat([active[:, :first], active[:, first:] + moved], 1))

    def _moved(self, own_BGr: Tensor) -> Tensor:
        found = self._spectra()
        return self._whole(own_BGr, found) + self._local(own_BGr, found)

    def shows(self, x_BTD: Tensor, added_BTD: Tensor) -> Tensor:
        first = x_BTD.shape[1] - self.layout().count
        moved = F.linear(self._moved(self.down(x_BTD[:, first:])), self.up.weight)
        return torch.cat([torch.zeros_like(x_BTD[:, :first]), moved], 1).norm(dim=-1)

    def _whole(self, p_BGr: Tensor, found: Spectra) -> Tensor:
        return self._filtered(p_BGr, found.whole_BGG, self.norm_whole)

    def _local(self, p_BGr: Tensor, found: Spectra) -> Tensor:
        place = found.order_BG[..., None].expand_as(p_BGr)
        pieces = in_chunks(p_BGr.gather(1, place), self.chunk)
        moved = [
            self._filtered(piece, vectors, self.norm_local).flatten(1, 2)
            for piece, vectors in zip(pieces, found.chunks, strict=True)
        ]
        return torch.zeros_like(p_BGr).scatter(1, place, torch.cat(moved, 1))

    def _filtered(self, p: Tensor, vectors: Tensor, norm: nn.Module) -> Tensor:
        """Into the spectrum, a layer with a residual, and back."""
        vectors = vectors.to(p.dtype)
        there = vectors if self.legacy else vectors.mT
        f = there @ p
        f = f + F.silu(self.shared(norm(f)))
        return there.mT @ f

    def _spectra(self) -> Spectra:
        centres_BG3 = centres_of(self.layout())
        assert centres_BG3 is not None, "the method needs `points`"
        how = {"legacy": self.legacy, "plain": self.plain}
        if torch.compiler.is_compiling():  # a program keeps nothing from one pass to the next
            return spectra(centres_BG3, self.chunk, **how)
        kept = vars(centres_BG3).setdefault(KEPT, {})
        key = (self.chunk, self.legacy, self.plain)
        if key not in kept:
            kept[key] = spectra(centres_BG3, self.chunk, **how)
        return kept[key]


def attach(place: Placement, config: PointgstConfig) -> None:
    """From the stream behind attention to the block's end; where tokens of pretraining go another
    way than groups (ReCon), to the end of the groups' way."""
    alone = place.anatomy.prefix > 1
    for block in place.blocks:
        module = Spectral(block.width, config, place.layout(block))
        target = block.site("mlp.out" if alone else "block.out")
        place.branch(block.site("mlp.res"), target, module)
    if config.train_class_token:
        thaw_class_token(place)


def count(config: PointgstConfig, anatomy: Anatomy) -> int:
    """2 D r + r + D, r² + r and 4 r for each block; the class token and its position."""
    r = config.rank
    each = sum(2 * b.width * r + r + b.width + r * r + r + 4 * r for b in anatomy.blocks)
    return each + (class_size(anatomy) if config.train_class_token else 0)
