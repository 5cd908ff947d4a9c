"""Large pictures in tiles that overlap, and the way back: seams are blended away.

Shapes: C channels, H and W pixels, T tiles along an axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from onlay.errors import ConfigError
from onlay.task import Position
from onlay_image.data.pictures import read_picture
from onlay_image.data.preprocess import Fit, Normalize
from onlay_image.data.reading import Reading

WHOLE = "none"
"""In the place of the word for how a picture is resized: it is not."""


class Tiles:
    """Reads pictures in their own size and cuts them.

    Args:
        preprocessing: of the model.
        input_spec: of its backbone.
        size: height and width of a tile.
        overlap: pixels that neighbours share, at least.

    Raises:
        ConfigError: a tile that the backbone does not take.
    """

    def __init__(
        self,
        preprocessing: Mapping[str, Any],
        input_spec: Mapping[str, Any],
        size: tuple[int, int],
        overlap: int,
    ) -> None:
        self.preprocessing = {**preprocessing, "resize": WHOLE}
        self.reading, self.normalize = Reading.of(preprocessing), Normalize(preprocessing)
        self.size, self.overlap = size, overlap
        self.fixed = not input_spec["dynamic_img_size"]
        taken = tuple(input_spec["img_size"])
        if self.fixed and size != taken:
            raise ConfigError(
                f"a tile has {size[0]} x {size[1]} pixels, and the backbone takes {taken[0]} x"
                f" {taken[1]}: give that size, or train with the backbone's `dynamic_img_size`"
            )

    def read(self, source: Path) -> Tensor:
        """(C, H, W), neither resized nor cropped."""
        return self.normalize(Fit(None)(read_picture(source, self.reading)))

    def cut(self, inputs_CHW: Tensor) -> Sequence[Tile]:
        """Row by row. Where a picture is smaller than a tile, the tile is; or, for a backbone of
        one size, the mean colour lies below and to the right of it."""
        down, across = (
            _placed(length, tile, self.overlap)
            for length, tile in zip(inputs_CHW.shape[-2:], self.size, strict=True)
        )
        return [self._tile(inputs_CHW, *places) for places in product(down, across)]

    def _tile(self, inputs_CHW: Tensor, row: Place, column: Place) -> Tile:
        own = inputs_CHW[:, row.start : row.stop, column.start : column.stop]
        lacking = [size - n for size, n in zip(self.size, own.shape[-2:], strict=True)]
        if self.fixed and any(lacking):
            own = F.pad(own, (0, lacking[1], 0, lacking[0]))
        return Tile(own, row, column, (inputs_CHW.shape[-2], inputs_CHW.shape[-1]))


@dataclass(frozen=True)
class Place:
    """A tile on one axis."""

    start: int
    shares: Tensor
    """Of each of its pixels, which all tiles' shares of a pixel add up to 1."""

    core: tuple[float, float]
    """From where to where it is nearer to a pixel than its neighbours are."""

    @property
    def stop(self) -> int:
        return self.start + len(self.shares)


@dataclass(frozen=True)
class Tile:
    """A part of a picture."""

    inputs: Tensor
    """(C, h, w)."""
    row: Place
    column: Place
    whole: tuple[int, int]

    @property
    def position(self) -> Position:
        """For what is no map."""
        top, left = self.row, self.column
        core = (top.core[0], left.core[0]), (top.core[1], left.core[1])
        return Position(self.whole, (top.start, left.start), core=core)

    def added(self, output: Tensor, total: Tensor | None) -> Tensor:
        """A total (..., H, W) with the tile's output (..., h, w), by its share of each pixel; the
        first begins one."""
        high, wide = len(self.row.shares), len(self.column.shares)
        shares = self.row.shares[:, None] * self.column.shares
        own = output[..., :high, :wide].to(total.dtype if total is not None else torch.float32)
        if total is None:
            total = own.new_zeros(*own.shape[:-2], *self.whole)
        area = slice(self.row.start, self.row.stop), slice(self.column.start, self.column.stop)
        total[..., *area] += own * shares.to(own)
        return total


def _placed(length: int, tile: int, overlap: int) -> list[Place]:
    """Tiles that begin `tile - overlap` apart, the last one at the end; shares fall from the middle
    to the ends, and at most along the overlap."""
    apart, tile = tile - overlap, min(tile, length)
    last = length - tile
    starts = [*range(0, last, apart), last]
    near = torch.arange(tile, dtype=torch.float64) + 1
    slope = torch.minimum(near, near.flip(0)).clamp(max=max(overlap, 1))
    weights = torch.zeros(len(starts), length, dtype=torch.float64)
    for weight, start in zip(weights, starts, strict=True):
        weight[start : start + tile] = slope
    shares_TL = (weights / weights.sum(0)).float()
    between = [(start + tile + following) / 2 for start, following in pairwise(starts)]
    cores = pairwise([-inf, *between, inf])
    return [
        Place(start, shares[start : start + tile], core)
        for start, shares, core in zip(starts, shares_TL, cores, strict=True)
    ]
