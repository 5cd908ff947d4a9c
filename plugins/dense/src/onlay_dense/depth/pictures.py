"""Depth maps as pictures.

Shapes: H and W pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from onlay_dense.depth.answer import MOST

NEAR_TO_FAR = np.array(
    [
        *[(68, 1, 84), (71, 44, 122), (59, 82, 139), (44, 113, 142), (33, 145, 140)],
        *[(39, 173, 129), (94, 201, 98), (170, 220, 50), (253, 231, 37)],
    ],
    np.float64,
)
"""Colours whose brightness rises evenly, so that greater and smaller are told apart without seeing
hues: viridis, which pages have, too."""


def written(depth_HW: Tensor, path: Path, scale: int, unit: str) -> None:
    """A 16-bit grey png of `scale` times the depths; 0 is a hole, and no depth becomes 0."""
    values_HW = (depth_HW.double() * scale).round().clamp(1, MOST) * (depth_HW > 0)
    told = PngInfo()
    told.add_text("scale", str(scale))
    told.add_text("unit", unit)
    Image.fromarray(values_HW.numpy().astype(np.uint16)).save(path, pnginfo=told)


def coloured(depth_HW: Tensor) -> Image.Image:
    """The nearest pixel violet, the farthest one yellow, holes (0) black."""
    depths_HW = depth_HW.double().numpy()
    there_HW = depths_HW > 0
    low, high = (depths_HW[there_HW].min(), depths_HW[there_HW].max()) if there_HW.any() else (0, 0)
    place_HW = (depths_HW - low) / ((high - low) or 1.0) * (len(NEAR_TO_FAR) - 1)
    steps = np.arange(len(NEAR_TO_FAR))
    channels = [np.interp(place_HW, steps, colour) for colour in NEAR_TO_FAR.T]
    colours_HW3 = np.stack(channels, -1) * there_HW[..., None]
    return Image.fromarray(colours_HW3.round().astype(np.uint8))
