"""Channels that a file has, and those that a backbone takes; what is behind transparent pixels."""

from __future__ import annotations

import numpy as np
from PIL import ImageColor

from onlay_image.data.reading import Reading, UnfitError

LUMINANCE = np.array([299, 587, 114], np.float32) / 1000
"""ITU-R BT.601, as Pillow weighs red, green and blue."""


def background(reading: Reading, channels: int) -> np.ndarray:
    """The colour behind a picture, (1,) or (3,), in [0, 1]."""
    colour = np.array(colour_of(reading), np.float32) / 255
    return colour if channels == 3 else np.array([colour @ LUMINANCE], np.float32)


def colour_of(reading: Reading) -> tuple[int, int, int]:
    """The colour behind a picture in bytes."""
    named = reading.background
    red, green, blue = ImageColor.getrgb(named)[:3] if isinstance(named, str) else named
    return red, green, blue


def matching(channels: np.ndarray, in_chans: int) -> np.ndarray:
    """Grey for each of red, green and blue, or their luminance."""
    stored = channels.shape[-1]
    if stored == in_chans:
        return channels
    if (stored, in_chans) == (1, 3):
        return np.repeat(channels, 3, axis=-1)
    if (stored, in_chans) == (3, 1):
        return (channels.astype(np.float32) @ LUMINANCE)[..., None]
    raise UnfitError(mismatch(stored, in_chans))


def mismatch(stored: int, in_chans: int) -> str:
    """What to say of a picture with other channels than the backbone's."""
    return (
        f"it has {stored} channel{'s' if stored > 1 else ''}, and the backbone takes {in_chans}:"
        f" set the backbone's `in_chans` to {stored}, or give pictures of {in_chans}"
    )
