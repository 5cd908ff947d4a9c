"""A few squares to find, for the checks of the plugin kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy

LABELS = ("large", "small")


def squares(anatomy: Anatomy, batch: int) -> tuple[tuple[str, ...], Tensor, dict[str, Any]]:
    """Two classes; of each picture but the last one a large square and a small one, bright, of the
    last one nothing."""
    inputs = anatomy.example(batch)
    height, width = inputs.shape[-2:]
    targets: dict[str, list[Tensor]] = {"boxes": [], "labels": [], "masks": []}
    for number in range(batch):
        corners = [
            [0, 0, width // 2, height // 2],
            [width // 2, height // 2, width - 1, height - 1],
        ]
        boxes = torch.tensor(corners if number < batch - 1 else [], dtype=torch.float32)
        boxes = boxes.reshape(-1, 4)
        masks = torch.zeros(len(boxes), height, width, dtype=torch.uint8)
        for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
            mask[top:bottom, left:right] = 1
            inputs[number, :, top:bottom, left:right] += 2
        targets["boxes"].append(boxes)
        targets["labels"].append(torch.arange(len(boxes)))
        targets["masks"].append(masks)
    return LABELS, inputs, targets
