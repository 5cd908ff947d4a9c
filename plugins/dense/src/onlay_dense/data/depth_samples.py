"""Small data sets of depths in every layout, for `onlay plugins check`.

Each function writes into an empty folder and gives the settings that read it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onlay_dense.data.samples import COUNT, paint
from onlay_image.data.samples import draw


def depth_folder(folder: Path) -> dict[str, Any]:
    """Millimetres, without parts."""
    for number in range(COUNT):
        draw(folder / f"images/{number}.png", number)
        paint(folder / f"depths/{number}.png", slope(number, 1000))
    return {"path": folder, "scale": 1000.0, "val_size": 0.25, "test_size": 0.25}


def nyu(folder: Path) -> dict[str, Any]:
    """Four recordings of two pairs, and three pairs to test on."""
    pairs = [(f"room_{n // 2}/rgb_{n}.jpg", f"room_{n // 2}/sync_depth_{n}.png") for n in range(8)]
    _written(folder, "sync", "nyudepthv2_train_files_with_gt.txt", pairs, 0, 1000)
    pairs = [(f"den/rgb_{n}.jpg", f"den/sync_depth_{n}.png") for n in range(3)]
    home, name = "official_splits/test", "nyudepthv2_test_files_with_gt.txt"
    _written(folder, home, name, pairs, 8, 1000)
    return {"path": folder, "val_size": 0.25}


def kitti(folder: Path) -> dict[str, Any]:
    """Four drives of two pairs, and three pairs to test on."""
    for part, count, first in (("train", 8, 0), ("test", 3, 8)):
        drives = [f"drive_{n // 2 if part == 'train' else 9}_sync" for n in range(count)]
        images = [f"day/{drive}/image_02/data/{n}.png" for n, drive in enumerate(drives)]
        depths = [
            f"{drive}/proj_depth/groundtruth/image_02/{n}.png" for n, drive in enumerate(drives)
        ]
        pairs = list(zip(images, depths, strict=True))
        _written(folder, "", f"kitti_eigen_{part}_files_with_gt.txt", pairs, first, 256)
    return {"path": folder, "val_size": 0.25}


def rooms(folder: Path) -> dict[str, Any]:
    """Nothing is written: rooms are rendered."""
    return {"train_size": 8, "val_size": 3, "test_size": 4}


def _written(
    folder: Path, home: str, name: str, pairs: list[tuple[str, str]], first: int, scale: int
) -> None:
    for number, (image, depth) in enumerate(pairs, first):
        draw(folder / home / image, number)
        paint(folder / home / depth, slope(number, scale))
    lines = [f"/{image} /{depth} 518.8579\n" for image, depth in pairs]
    (folder / name).write_text("".join(lines), encoding="utf-8")


def slope(seed: int, scale: int) -> np.ndarray:
    """16 bits (10, 14): from 1 to 4 units downwards, a little farther with each seed, with holes in
    a corner."""
    values = np.linspace(1, 4, 10)[:, None] + np.zeros(14) + seed / 10
    numbers = (values * scale).round().astype(np.uint16)
    numbers[0, :3] = 0
    return numbers
