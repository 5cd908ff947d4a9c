"""From the picture as the backbone is given it back to the file that it was made of.

Shapes: C channels, H and W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from onlay.errors import OnlayError
from onlay.task import Input
from onlay_dense.onto_picture import crop_start, resized
from onlay_image.data.pictures import read_picture
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
        """Corners on the file's picture, or beyond its edges."""
        return boxes_n4 * self.scale.repeat(2) + self.shift.repeat(2)


def on_the_file(given: Input | None) -> WayBack | None:
    """Where the file can be read again, and its preparation is that of pictures; None also of a
    picture that was given in its own size."""
    if given is None or given.preprocessing.get("resize") == WHOLE:
        return None
    if (picture := _read(given)) is None:
        return None
    (width, height), facts = picture.size, given.preprocessing
    seen = resized((height, width), facts)
    starts = 0, 0
    if facts["resize"] != "pad":  # which adds pixels below and on the right alone
        starts = tuple(map(crop_start, facts["img_size"], seen))
    down, across = height / seen[0], width / seen[1]
    scale = torch.tensor([across, down], dtype=torch.float64)
    shift = scale * torch.tensor(starts[::-1])
    return WayBack((height, width), scale.float(), shift.float())


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
