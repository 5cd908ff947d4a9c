"""Updates of many weights that share their first and their last factor (FacT, MetaTT).

A wide map is cut into pieces of the network's width: the first factor reads each piece of what it
is given, the last one writes each piece of what it puts out.

Shapes: D width, r rank, p and o pieces of a map's input and output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Affine
from onlay.errors import AnatomyError
from onlay.narrow import narrowed
from onlay_baselines.shown import WEIGHTS, WEIGHTS_MEANING, pooled
from onlay_baselines.updates import matrix_of, shape_of

if TYPE_CHECKING:
    from onlay.anatomy import Block


class Update(nn.Module):
    """scale * x U S V, piece by piece; `core` gives S (p r, o r), `ends` holds U (D, r) and
    V (r, D) for all updates of a stage."""

    pictured = WEIGHTS
    meaning = WEIGHTS_MEANING

    def __init__(
        self,
        ends: Any,
        core: Callable[[], Tensor],
        pieces: tuple[int, int],
        *,
        scale: float,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.ends, self.core, self.pieces = ends, core, pieces
        self.scale, self.dropout = scale, dropout

    def forward(self, x: Tensor) -> Tensor:
        return self._changed(x, self.dropout if self.training else 0.0)

    def _changed(self, x: Tensor, dropout: float) -> Tensor:
        first, last = self.pieces
        h = narrowed(x.unflatten(-1, (first, -1)), self.ends.first)
        h = F.dropout(h.flatten(-2) @ self.core(), dropout, self.training)
        y = h.unflatten(-1, (last, -1)) @ (self.scale * self.ends.last)
        return y.flatten(-2)

    def affine(self) -> Affine:
        inputs = self.pieces[0] * len(self.ends.first)
        return Affine(matrix_of(lambda x: self._changed(x, 0.0), inputs, self.ends.first))

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        weight = self.affine().weight
        assert weight is not None, "an update is a matrix"
        return pooled(weight)


def pieces_of(block: Block, name: str) -> tuple[int, int]:
    """Into how many pieces of the block's width input and output of a map are cut.

    Raises:
        AnatomyError: one of them is no multiple of it.
    """
    sizes = shape_of(block, name)
    if any(size % block.width for size in sizes):
        raise AnatomyError(
            f"`{name}` of block {block.index} leads from {sizes[0]} to {sizes[1]} numbers, which"
            f" cannot be cut into pieces of the width {block.width}"
        )
    return sizes[0] // block.width, sizes[1] // block.width


def stacked(cores: list[Tensor], pieces: tuple[int, int]) -> Tensor:
    """Cores (r, r) of a map's pieces, side by side or below each other."""
    return torch.cat(cores, dim=1 if pieces[0] == 1 else 0)
