"""torchvision's Faster and Mask R-CNN on maps that are there already.

Shapes: B batch, D width, H and W pixels of a picture, n objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from onlay_dense.objects.anchors import Anchors, region_pool
from onlay_dense.objects.config import InstancesConfig, ObjectsConfig

BOX, MASK = 7, 14
"""Bins along each side of a region, to tell its class and to draw its mask."""

Predict = Callable[[Tensor], Any]
Objects = list[dict[str, Tensor]]


class Detector(nn.Module):
    """Proposes regions and looks at each; the last layers, which know the classes, are given."""

    def __init__(
        self, config: ObjectsConfig, strides: Sequence[float], box: Predict, mask: Predict | None
    ) -> None:
        super().__init__()
        anchors = Anchors(strides, config.anchor_scale, config.aspect_ratios)
        self.proposals = _proposals(config, anchors)
        self.regions = _regions(config, strides[:-1], box, mask)

    def forward(self, maps: Sequence[Tensor], inputs: Tensor) -> Objects:
        """Of each picture `boxes`, `labels` from 1 and `scores`, the surest first, and `masks`
        (n, 1, 28, 28) in the boxes.

        `maps` are (B, D, h, w), the finest first; of the last one regions are proposed alone.
        """
        with self._mode(training=False):
            return self._run(maps, inputs, None)[0]

    def losses(self, maps: Sequence[Tensor], inputs: Tensor, targets: Objects) -> dict[str, Tensor]:
        """torchvision's four or five losses; of each picture the objects are given as `forward`
        gives them, but masks are (n, H, W)."""
        with self._mode(training=True):
            return self._run(maps, inputs, targets)[1]

    @torch.compiler.disable  # each picture has other shapes, and each would be compiled anew
    def _run(self, maps: Any, inputs: Tensor, targets: Objects | None) -> tuple[Objects, Any]:
        height, width = inputs.shape[-2:]
        sizes = [(height, width)] * len(inputs)
        named = {str(n): each for n, each in enumerate(maps)}
        regions, found = self.proposals(ImageList(inputs, sizes), named, targets)
        objects, more = self.regions(named, regions, sizes, targets)
        return objects, found | more

    @contextmanager
    def _mode(self, *, training: bool) -> Iterator[None]:
        """Inside, torchvision answers or computes losses; nothing else depends on the mode."""
        parts = self.proposals, self.regions
        former = [part.training for part in parts]
        try:
            for part in parts:
                part.training = training
            yield
        finally:
            for part, mode in zip(parts, former, strict=True):
                part.training = mode


def _proposals(config: ObjectsConfig, anchors: Anchors) -> RegionProposalNetwork:
    head = RPNHead(config.width, anchors.num_anchors_per_location()[0])
    kept = {"training": 2 * config.proposals, "testing": config.proposals}
    return RegionProposalNetwork(anchors, head, 0.7, 0.3, 256, 0.5, kept, kept, 0.7)


def _regions(
    config: ObjectsConfig, strides: Sequence[float], box: Predict, mask: Predict | None
) -> RoIHeads:
    drawing: dict[str, Any] = {}
    if mask is not None:
        assert isinstance(config, InstancesConfig)
        widths = (config.mask_width,) * 4
        drawing["mask_roi_pool"] = region_pool(strides, MASK)
        drawing["mask_head"] = MaskRCNNHeads(config.width, widths, 1)
        drawing["mask_predictor"] = mask
    kept = config.score_threshold, config.nms_threshold, config.detections
    layers = TwoMLPHead(config.width * BOX**2, config.box_width)
    pool = region_pool(strides, BOX)
    return RoIHeads(pool, layers, box, 0.5, 0.5, 512, 0.25, None, *kept, **drawing)


def without_autocast(maps: Sequence[Tensor]) -> tuple[list[Tensor], Any]:
    """The maps in float32, and the context in which boxes are exact to a pixel of a large
    picture, which bfloat16 does not tell from the next one."""
    wide = [each.float() if each.dtype != torch.float64 else each for each in maps]
    return wide, torch.autocast(maps[0].device.type, enabled=False)
