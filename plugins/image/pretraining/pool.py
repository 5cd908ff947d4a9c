"""What the backbone is pretrained on; to draw a picture takes about 4 ms."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from drawing import SIDE
from numpy.random import default_rng
from PIL import Image
from procedural import render

VIEWS = 2
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def scenes(seed: int, first: int, count: int) -> np.ndarray:
    """Two renderings of each (count, 2, 72, 72, 3) uint8."""
    drawn = np.empty((count, VIEWS, SIDE, SIDE, 3), np.uint8)
    for i in range(count):
        for view in range(VIEWS):
            drawn[i, view] = render(seed, first + i, view)
    return drawn


def pictures(folder: Path, seed: int, first: int, count: int) -> np.ndarray:
    """The same of somebody's own pictures: twice one window of one of them, moved a little."""
    drawn = np.empty((count, VIEWS, SIDE, SIDE, 3), np.uint8)
    for i in range(count):
        rng = default_rng([seed, first + i])
        picture = opened(listed(folder)[rng.integers(len(listed(folder)))])
        side = min(picture.size) * rng.uniform(min(1.0, SIDE / min(picture.size)), 1)
        room = np.array(picture.size) - side
        for view, place in enumerate(rng.random(2) * room + rng.normal(0, 0.05, (VIEWS, 2)) * side):
            drawn[i, view] = window(picture, place.clip(0, room), side)
    return drawn


def window(picture: Image.Image, place: np.ndarray, side: float) -> np.ndarray:
    box = (*place, *(place + side))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box))


@cache
def listed(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if not found:
        raise SystemExit(f"`{folder}` holds no pictures")
    return found


@cache
def opened(path: Path) -> Image.Image:
    """Pictures stay in memory: they are read thousands of times."""
    return Image.open(path).convert("RGB")
