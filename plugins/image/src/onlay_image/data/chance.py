"""What chance does to the colours of a picture while it is trained on, and what it erases.

Numbers come from the global generators, which are seeded for every picture.
Shapes: C channels, H and W pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from timm.data.random_erasing import RandomErasing
from torch import Tensor
from torchvision.transforms import v2

from onlay.errors import ConfigError
from onlay_image.data.preparing import ImagePreprocess

Change = Callable[[Tensor], Tensor]

_STEPS = 10
"""Steps that a magnitude from 0 to 10 is rounded to, each."""


def changes(config: ImagePreprocess, channels: int) -> list[Change]:
    """Of pixels (C, H, W), bytes or floats from 0 to 255, in their order.

    Raises:
        ConfigError: colours of other pictures than grey or colour ones.
    """
    named = [name for name in ("aa", "color_jitter") if getattr(config, name)]
    if named and channels not in (1, 3):
        raise ConfigError(
            f"`preprocess.{named[0]}` changes colours of 1 or 3 channels, and the pictures have"
            f" {channels}"
        )
    found: list[Any] = []
    if config.color_jitter:
        given = config.color_jitter
        found.append(v2.ColorJitter(*((given,) * 3 if isinstance(given, float) else given)))
    if config.aa == "trivialaugment":
        found.append(v2.TrivialAugmentWide())
    elif config.aa:
        found.append(Rand(config.aa))
    return [OnPixels(change) for change in found]


def erasing(config: ImagePreprocess) -> Change | None:
    """Of normalised pictures, in place; timm's, `None` where nothing is erased."""
    if not config.reprob:
        return None
    return RandomErasing(
        probability=config.reprob, mode=config.remode, max_count=config.recount, device="cpu"
    )


class OnPixels:
    """A change of bytes, or of floats from 0 to 1, on pixels up to 255."""

    def __init__(self, change: Change) -> None:
        self.change = change

    def __call__(self, pixels: Tensor) -> Tensor:
        if not pixels.is_floating_point():
            return self.change(pixels)
        return self.change(pixels / 255).clamp(0, 1) * 255


class Rand:
    """torchvision's RandAugment in timm's words: `n` changes, each of a magnitude of its own and
    made with probability `p`."""

    def __init__(self, words: str) -> None:
        self.m = _number(words, "m", 10.0)
        self.mstd = _number(words, "mstd", 0.0)
        self.n = int(_number(words, "n", 2.0))
        self.p = _number(words, "p", 1.0)

    def __call__(self, pixels: Tensor) -> Tensor:
        for _ in range(self.n):
            if self.p < 1 and torch.rand(()).item() >= self.p:
                continue
            drawn = self.m + self.mstd * torch.randn(()).item()
            step = round(_STEPS * min(max(drawn, 0.0), 10.0))
            pixels = v2.RandAugment(num_ops=1, magnitude=step, num_magnitude_bins=10 * _STEPS + 1)(
                pixels
            )
        return pixels


def _number(words: str, name: str, default: float) -> float:
    found = re.search(rf"-{name}([\d.]+)", words)
    return float(found[1]) if found else default
