"""Pictures at other scales: padded to a size, or enlarged and reduced by chance.

Both take a picture alone, or with a target that lies on it and is moved alike. Shapes: C channels,
H and W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from timm.data.transforms import str_to_interp_mode
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import v2 as transforms
from torchvision.transforms.v2 import functional

from onlay.errors import ConfigError
from onlay_image.data.moving import Nearest, Size, moved
from onlay_image.data.preparing import CROPPED

Facts = Mapping[str, Any]


def inside(size: Size, room: Sequence[int]) -> Size:
    """The largest of the same shape that fits into the room, at least one pixel.

    >>> inside((100, 50), [32, 32])
    (32, 16)
    """
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def around(size: Size, room: Sequence[int]) -> Size:
    """The smallest of the same shape that covers the room.

    >>> around((100, 50), [32, 32])
    (64, 32)
    """
    scale = max(room[0] / size[0], room[1] / size[1])
    return round(size[0] * scale), round(size[1] * scale)


def of_tensors(interpolation: str) -> InterpolationMode:
    """How torchvision resizes tensors as Pillow does pictures, whose `nearest` takes the pixel
    under the centre of a new one.

    Raises:
        ConfigError: only Pillow knows it.
    """
    if interpolation in ("box", "hamming"):
        raise ConfigError(
            f"`preprocess.interpolation` `{interpolation}` is for pictures, and this `augment`"
            " resizes tensors: take `bilinear`, `bicubic` or `lanczos`"
        )
    if interpolation == "nearest":
        return InterpolationMode.NEAREST_EXACT
    mode: Any = str_to_interp_mode(interpolation)
    return mode


def within(pixels: Tensor, *target: Any) -> Any:
    """Pixels that are floats from 0 to 255, as bytes are; `bicubic` and `lanczos` go beyond."""
    made = pixels.clamp(0, 255) if pixels.is_floating_point() else pixels
    return (made, *target) if target else made


class Inside:
    """A picture of Pillow's as large as fits into the room."""

    def __init__(self, room: Sequence[int], interpolation: str) -> None:
        self.room, self.mode = room, str_to_interp_mode(interpolation)

    def __call__(self, picture: Any) -> Any:
        width, height = picture.size
        return functional.resize(picture, list(inside((height, width), self.room)), self.mode)


class Below:
    """Pads (C, H, W) at the bottom and on the right with the mean colour, which is 0 when it is
    normalised; class numbers with void, depths with 0."""

    def __init__(self, facts: Facts) -> None:
        self.size, self.fill = facts["img_size"], fill_of(facts)

    def __call__(self, pixels: Tensor, *target: Any) -> Any:
        height, width = pixels.shape[-2:]
        beyond = [0, 0, self.size[1] - width, self.size[0] - height]
        made = functional.pad(pixels, beyond, fill=self.fill)
        if not target:
            return made
        return made, moved(lambda leaf: functional.pad(leaf, beyond), target[0])


class Scaled:
    """A scale by chance, of which 1 is the one at which pictures are evaluated."""

    def __init__(self, facts: Facts, scale: tuple[float, float]) -> None:
        share = facts["crop_pct"] if facts["resize"] in CROPPED else 1.0
        self.room = [math.floor(side / share) for side in facts["img_size"]]  # as timm does
        self.resize, self.scale = facts["resize"], scale
        self.mode = of_tensors(facts["interpolation"])

    def __call__(self, pixels: Tensor, *target: Any) -> Any:
        height, width = pixels.shape[-2:]
        size = self._drawn((height, width))
        made = within(functional.resize(pixels, size, self.mode, antialias=True))
        if not target:
            return made
        return made, moved(lambda leaf: functional.resize(leaf, size), target[0])

    def _drawn(self, size: Size) -> list[int]:
        fit = {"pad": inside, "crop": around}.get(self.resize)
        plain = fit(size, self.room) if fit else self.room
        drawn = torch.empty(()).uniform_(*self.scale).item()
        return [max(1, round(side * drawn)) for side in plain]


def cropped(facts: Facts) -> transforms.RandomCrop:
    """Anywhere; what is smaller lies somewhere on the mean colour."""
    fill: Any = {Nearest: 0, "others": fill_of(facts)}  # of which a `Nearest` has its own
    return transforms.RandomCrop(facts["img_size"], pad_if_needed=True, fill=fill)


def fill_of(facts: Facts) -> list[float]:
    """The mean colour, whole numbers up to 255."""
    return [float(round(255 * mean)) for mean in facts["mean"]]
