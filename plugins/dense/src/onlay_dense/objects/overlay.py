"""Objects drawn into a picture."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from onlay.reports import PERCENT
from onlay_dense.objects.masks import outline

TURN = 0.618034
"""Of the circle of colours from one object to the next, so that neighbours differ."""
COVER = 0.4
"""How much of the picture a mask covers."""

Shown = tuple[list[float], str, float]
"""Box, class and probability."""


def draw_objects(
    picture: Image.Image, shown: Sequence[Shown], masks: Sequence[Tensor] | None
) -> Image.Image:
    """A copy with each object in a colour of its own: its mask, or else its box, with class and
    probability where they have room in it."""
    drawn = picture.convert("RGB")
    if masks is not None:
        return _covered(drawn, masks)
    pen = ImageDraw.Draw(drawn)
    for number, (box, name, score) in enumerate(shown):
        pen.rectangle(_drawable(box, drawn.size), outline=_colour(number), width=_line(drawn))
        text = f"{name} {PERCENT.text(score, places=0)}"
        if pen.textlength(text) + 4 <= box[2] - box[0]:
            pen.text((box[0] + 2, box[1] + 1), text, fill=_colour(number))
    return drawn


def _covered(picture: Image.Image, masks: Sequence[Tensor]) -> Image.Image:
    pixels = np.array(picture, dtype=np.float32)
    for number in reversed(range(len(masks))):
        mask, colour = masks[number].numpy(), np.array(_colour(number), dtype=np.float32)
        pixels[mask] = (1 - COVER) * pixels[mask] + COVER * colour
        pixels[outline(masks[number]).numpy()] = colour
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def _colour(number: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(number * TURN % 1, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _line(picture: Image.Image) -> int:
    return max(1, round(min(picture.size) / 200))


def _drawable(box: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box within the picture, its corners in their order."""
    left, top = (min(max(side, 0.0), most - 1.0) for side, most in zip(box[:2], size, strict=True))
    right, bottom = (min(side, most - 1.0) for side, most in zip(box[2:], size, strict=True))
    return left, top, max(left, right), max(top, bottom)
