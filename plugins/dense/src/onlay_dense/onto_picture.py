"""From what the model saw of a picture back to the picture's own pixels.

Shapes: h and w the model's pixels, H and W the picture's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from onlay.task import Input
from onlay_image.data.pictures import read_picture
from onlay_image.data.preprocess import geometry
from onlay_image.data.reading import Reading
from onlay_image.data.scaling import inside
from onlay_image.data.tiles import WHOLE

Size = tuple[int, int]
"""Height and width."""


def onto_picture(values_hw: Tensor, given: Input, nothing: float = -1) -> Tensor:
    """Each of the picture's pixels (H, W) has the value of the model's pixel that it lies in, or
    `nothing` where the centre crop has cut it off.

    Values of something that is no picture file, or that was not prepared as pictures are, or of a
    whole picture in its own size, come back as they are.
    """
    facts = given.preprocessing
    if "img_size" not in facts or "resize" not in facts or not given.source.is_file():
        return values_hw
    if facts["resize"] == WHOLE:
        return values_hw
    width, height = read_picture(given.source, Reading.of(facts))[0].size
    if facts["resize"] == "pad":
        own = inside((height, width), values_hw.shape)
        values_hw = values_hw[: own[0], : own[1]]
    elif tuple(values_hw.shape) == tuple(facts["img_size"]):
        values_hw = _uncropped(values_hw, resized((height, width), facts), nothing)
    planes_11hw = values_hw[None, None].double()  # exact for all class numbers
    found_HW = F.interpolate(planes_11hw, (height, width), mode="nearest-exact")[0, 0]
    return found_HW.to(values_hw.dtype)


def resized(size: Size, facts: Mapping[str, Any]) -> Size:
    """What becomes of a picture's size before its centre is cropped, or it is padded."""
    if facts["resize"] == "pad":
        return inside(size, facts["img_size"])
    blank, steps = Image.new("1", size[::-1]), geometry(facts)
    for step in getattr(getattr(steps, "transform", None), "transforms", [])[:1]:
        blank = step(blank)
    return blank.size[1], blank.size[0]


def _uncropped(values_hw: Tensor, size: Size, nothing: float) -> Tensor:
    """The crop in the middle of the resized picture; what was padded is cut off."""
    around = torch.full(size, nothing, dtype=values_hw.dtype)
    own, whole = zip(*map(_places, values_hw.shape, size), strict=True)
    around[whole] = values_hw[own]
    return around


def _places(crop: int, side: int) -> tuple[slice, slice]:
    """Of one side: which of the crop's pixels lie on which of the picture's."""
    start = crop_start(crop, side)
    if side < crop:
        return slice(-start, side - start), slice(None)
    return slice(None), slice(start, start + crop)


def crop_start(crop: int, side: int) -> int:
    """Of one side: on which of the picture's pixels the crop's first one lies (torchvision's centre
    crop, which pads where the picture is smaller: then before its first one)."""
    return -((crop - side) // 2) if side < crop else round((side - crop) / 2)
