"""Small data sets of every layout, of noise, for `onlay plugins check`.

Each function writes into an empty folder and gives the settings that read it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from onlay_image.data.samples import draw

COUNT = 16
"""Pictures of 14 by 10 pixels."""


def mask_folder(folder: Path) -> dict[str, Any]:
    """Masks of two classes and void, without parts."""
    for number in range(COUNT):
        draw(folder / f"images/{number}.png", number)
        paint(folder / f"masks/{number}.png", blobs(number))
    values = {0: "ground", 200: "thing"}
    return {"path": folder, "values": values, "void": [255], "val_size": 0.25, "test_size": 0.25}


def camvid(folder: Path) -> dict[str, Any]:
    """Colours of building, car and void, without parts or lists."""
    colours = np.array([(128, 0, 0), (64, 0, 128), (0, 0, 0)], np.uint8)
    for number in range(COUNT):
        draw(folder / f"701_StillsRaw_full/{number:04}.png", number)
        places = np.searchsorted([0, 200, 255], blobs(number))
        paint(folder / f"LabeledApproved_full/{number:04}_L.png", colours[places])
    return {"path": folder, "val_size": 0.25, "test_size": 0.25}


def ade20k(folder: Path) -> dict[str, Any]:
    """Two parts, without names of the classes."""
    for part, start, count in (("training", 0, 8), ("validation", 8, 4)):
        for number in range(start, start + count):
            draw(folder / f"images/{part}/{number:08}.jpg", number)
            paint(folder / f"annotations/{part}/{number:08}.png", blobs(number) // 2)
    return {"path": folder}


def blobs(seed: int) -> np.ndarray:
    """Grey (10, 14): 0, 200 in a box, 255 in a corner."""
    values = np.zeros((10, 14), np.uint8)
    top, left = np.random.default_rng(seed).integers(1, 6, size=2)
    values[top : top + 4, left : left + 6] = 200
    values[0, 0] = 255
    return values


def paint(path: Path, values: np.ndarray) -> None:
    """Numbers as a picture, of 8 or 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
