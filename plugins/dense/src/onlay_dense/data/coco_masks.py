"""The objects in COCO's files as the class of each pixel.

Shapes: n objects, H and W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onlay.errors import DataError
from onlay.tasks.class_maps import VOID
from onlay_dense.data.coco_objects import CocoObjects


@dataclass(frozen=True)
class CocoMasks:
    """Reads the classes of an image's pixels; a class, so that it can be sent to another
    process."""

    objects: CocoObjects
    background: int
    """The class of pixels without an object, or void."""

    def __call__(self, path: Path) -> Tensor:
        """(H, W) int16; void where objects of several classes are.

        Raises:
            DataError: what reading the objects raises, or an object without a mask.
        """
        if empty := [n for n in self.objects.images[path].notes if not n.get("segmentation")]:
            raise DataError(
                f"an object on `{path}` (`id` {empty[0].get('id')!r}) has a box and no mask, of"
                " which no classes of pixels can be made"
            )
        found: Any = self.objects(path)
        classes = torch.full(found["masks"].shape[-2:], self.background, dtype=torch.int16)
        taken = torch.zeros(classes.shape, dtype=torch.bool)
        for mask, label in zip(found["masks"].bool(), found["labels"].tolist(), strict=True):
            other = mask & taken & (classes != label)
            classes[mask] = label
            classes[other] = VOID
            taken |= mask
        return classes
