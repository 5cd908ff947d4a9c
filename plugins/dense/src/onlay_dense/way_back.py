"""From the picture as the backbone is given it back to the file that it was made of.

Shapes: C channels, H and W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from onlay.errors import OnlayError
from onlay.task import Input
from onlay_image.data.moving import fitted, lying
from onlay_image.data.pictures import read_picture
from onlay_image.data.preprocess import geometry
from onlay_image.data.reading import Reading
from onlay_image.data.tiles import WHOLE


@dataclass(frozen=True)
class WayBack:
    """x and y in the file's pixels are `scale` times those in the prepared picture's, and
    `shift`."""

    size: tuple[int, int]
    """Height and width of the file's picture."""
    scale: Tensor
    """(2,), of x and y."""
    shift: Tensor
    """(2,)"""

    def boxes(self, boxes_n4: Tensor) -> Tensor:
        """Corners on the file's picture, cut at its edges."""
        moved = boxes_n4 * self.scale.repeat(2) + self.shift.repeat(2)
        height, width = self.size
        return moved.clamp(min=0).minimum(torch.tensor([width, height] * 2, dtype=moved.dtype))


def on_the_file(given: Input | None) -> WayBack | None:
    """Where the file can be read again, and its preparation is that of pictures; None also of a
    picture that was given in its own size."""
    if given is None or given.preprocessing.get("resize") == WHOLE:
        return None
    if (picture := _read(given)) is None:
        return None
    width, height = picture.size
    middle = torch.tensor([width / 2, height / 2])
    reach = min(width, height) / 4
    box = torch.cat([middle - reach, middle + reach])[None]
    steps: Any = geometry(given.preprocessing)
    steps = getattr(steps.transform, "transforms", [steps.transform])
    target = lying({"boxes": box}, {"boxes": "boxes"}, (height, width))
    _, moved = fitted(steps, (Image.new("1", picture.size),), target)
    low, high = moved["boxes"].as_subclass(Tensor)[0].double().split(2)
    scale = 2 * reach / (high - low)
    return WayBack((height, width), scale.float(), (middle - reach - low * scale).float())


def picture_of(given: Input | None, size: tuple[int, int]) -> Image.Image:
    """The file's picture, else what the backbone was given of it, else a black one of that size
    (height, width)."""
    picture = None if given is None else _read(given)
    if picture is not None:
        return picture.convert("RGB")
    if given is None or given.tensor.ndim != 3:
        return Image.new("RGB", size[::-1])
    low, high = given.tensor.min(), given.tensor.max()
    bytes_CHW = ((given.tensor - low) / (high - low).clamp(min=1e-6) * 255).byte().cpu()
    return Image.fromarray(bytes_CHW[:3].expand(3, -1, -1).permute(1, 2, 0).numpy())


def _read(given: Input) -> Image.Image | None:
    if given.preprocessing.get("modality") != "image" or not given.source.is_file():
        return None
    try:
        return read_picture(given.source, Reading.of(given.preprocessing))[0]
    except OnlayError:
        return None
