"""Maps that answers draw, as pictures of colours.

Shapes: H and W pixels, S the side of a panel.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import colormaps, colors
from matplotlib.image import imread
from torch import Tensor

from onlay.descriptors import Modality, resolve
from onlay.model.scales import limits_of
from onlay.pages import COLOURS
from onlay.task import Bars, Raster

SMALLEST, LARGEST = 128, 256
"""Pixels of a panel's height."""
GAP = 4


def rasters(pieces: Sequence[Bars | Raster]) -> list[Raster]:
    """What of an answer is a map."""
    return [piece for piece in pieces if isinstance(piece, Raster)]


def coloured(raster: Raster) -> np.ndarray:
    """Bytes (H, W, 3): labels in their colours or those of pages, numbers from violet to yellow."""
    values_HW = raster.values_HW.detach().cpu().numpy()
    if raster.labels:
        own = raster.colours or [COLOURS[n % len(COLOURS)] for n in range(len(raster.labels))]
        table = np.array([colors.to_rgb(colour) for colour in own])
        return _bytes(table[values_HW.astype(int)])
    low, high = limits_of(raster)
    return _bytes(colormaps["viridis"]((values_HW - low) / ((high - low) or 1.0))[..., :3])


def thumbnail(
    inputs: Tensor, preprocessing: Mapping[str, Any], modality: Modality | None
) -> list[np.ndarray]:
    """One small picture of an input, bytes (H, W, 3); none where its modality draws none."""
    if modality is None or modality.thumbnail is None:
        return []
    address: str = resolve(modality.thumbnail)(inputs, preprocessing)
    return [_bytes(imread(BytesIO(b64decode(address.partition(",")[2])))[..., :3])]


def strip(panels: Sequence[np.ndarray]) -> np.ndarray:
    """Bytes (S, ..., 3): panels of one height side by side, of their nearest pixels."""
    side = min(max(SMALLEST, *(panel.shape[0] for panel in panels)), LARGEST)
    gap = np.full((side, GAP, 3), 255, np.uint8)
    found = [part for panel in panels for part in (_of_height(panel, side), gap)]
    return np.concatenate(found[:-1], axis=1)


def _of_height(panel: np.ndarray, side: int) -> np.ndarray:
    height, width = panel.shape[:2]
    wide = max(1, round(width * side / height))
    rows = (np.arange(side) * height) // side
    return panel[rows][:, (np.arange(wide) * width) // wide]


def _bytes(shares: np.ndarray) -> np.ndarray:
    return (np.nan_to_num(shares) * 255).round().astype(np.uint8)
