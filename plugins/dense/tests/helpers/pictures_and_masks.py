"""Small pictures and masks that tests write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SPEC = {
    "img_size": [4, 4],
    "crop_pct": 1.0,
    "interpolation": "nearest",
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "dynamic_img_size": True,
}
"""What a backbone would say of its inputs."""


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (8, 12)) -> Path:
    """Noise, of height and width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(256, size=(*size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def mask(path: Path, values: Any, palette: list[int] | None = None, **how: Any) -> Path:
    """Numbers, or colours, as a picture; or as an array of numpy's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
        return path
    made = Image.fromarray(np.asarray(values))
    if palette is not None:
        made = made.convert("P") if made.mode != "L" else _indexed(made, palette)
    made.save(path, **how)
    return path


def _indexed(grey: Image.Image, palette: list[int]) -> Image.Image:
    indexed = Image.new("P", grey.size)
    indexed.putpalette(palette)
    indexed.putdata(np.asarray(grey).ravel().tolist())
    return indexed


HALVES = np.zeros((8, 12), np.uint8)
HALVES[:, 6:] = 1
"""The left half is class 0, the right one class 1."""


def pairs(root: Path, stems: Mapping[str, int], folder: str = "") -> Path:
    """Pictures under `images` and masks of two halves under `masks`."""
    for stem, seed in stems.items():
        picture(root / folder / "images" / f"{stem}.jpg", seed)
        mask(root / folder / "masks" / f"{stem}.png", HALVES)
    return root
