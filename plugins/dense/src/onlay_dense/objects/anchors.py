"""Anchors and regions at the strides that the maps have, whole numbers or not (a patch of 14 has
3.5 pixels at the pyramid's finest level)."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

SAMPLES = 2
"""Points along each side of a bin that a region's features are the mean of."""


class Anchors(AnchorGenerator):
    """torchvision's, which would take the picture's size over the map's, rounded down."""

    def __init__(self, strides: Sequence[float], scale: float, ratios: Sequence[float]) -> None:
        super().__init__([(scale * stride,) for stride in strides], [tuple(ratios)] * len(strides))
        self.strides = tuple(strides)

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """For each picture the anchors of all levels, (N, 4)."""
        first = feature_maps[0]
        self.set_cell_anchors(first.dtype, first.device)
        grids = [list(each.shape[-2:]) for each in feature_maps]
        steps = [[torch.tensor(s, device=first.device)] * 2 for s in self.strides]
        anchors = torch.cat(self.grid_anchors(grids, steps))
        return [anchors] * len(image_list.image_sizes)


def region_pool(strides: Sequence[float], size: int) -> MultiScaleRoIAlign:
    """Features (N, D, size, size) of boxes, each from the level that fits its size; torchvision's
    would guess the strides from the first batch."""
    pool = MultiScaleRoIAlign([str(n) for n in range(len(strides))], size, SAMPLES)
    first = round(log2(strides[0]))
    pool.scales = [1 / stride for stride in strides]
    pool.map_levels = LevelMapper(first, first + len(strides) - 1)
    return pool
