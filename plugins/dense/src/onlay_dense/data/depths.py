"""Depth maps of a part, read when they are asked for.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from onlay.errors import DataError
from onlay_dense.data.depth_values import DepthValues
from onlay_image.data.values import read_values

SATURATED = 65_535
"""The largest number of 16 bits, of what was too far, or not seen."""
FAR, NEAR = 1000.0, 0.01
"""Median depths that no room and no street has in metres."""


class Depths(Sequence[Tensor]):
    """Depths (H, W) float32 of each file, 0 where there is none, as large as they are stored."""

    def __init__(self, files: Sequence[Path], values: DepthValues) -> None:
        self.files, self.values = list(files), values

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.taken(range(len(self))[index])
        return torch.from_numpy(read_depths(self.files[index], self.values))

    def taken(self, indices: Iterable[int]) -> Depths:
        """Those at `indices`, still unread."""
        return Depths([self.files[index] for index in indices], self.values)


def read_depths(path: Path, values: DepthValues) -> np.ndarray:
    """One map, (H, W) float32, in units; 0 is a hole.

    Raises:
        DataError: it cannot be read, is no map of numbers, or has no depth in the range; names it.
    """
    numbers = _numbers(path)
    told = values.scale or _told(path)
    if told is None and numbers.dtype == np.uint8:
        _refuse_coarse(path)
    scale = told or 1.0
    whole = numbers.dtype.kind in "ui"
    there = np.isfinite(numbers) & (numbers > 0) & ~(whole & (numbers == SATURATED))
    if not there.any():
        _refuse_empty(path, numbers)
    depths = np.where(there, numbers, 0) / scale
    _refuse_other_unit(path, float(np.median(depths[there])), values, scale)
    most = np.inf if values.max is None else values.max
    kept = there & (depths >= values.min) & (depths <= most)
    if not kept.any():
        low, high = depths[there].min(), depths[there].max()
        raise DataError(
            f"all depths of `{path}` are beyond the range: they go from {low:.4g} to {high:.4g}"
            f" with a `data.scale` of {scale:g}, and `data.min` and `data.max` say"
            f" {values.min:g} to {most:g}"
        )
    return np.where(kept, depths, 0).astype(np.float32)


def _numbers(path: Path) -> np.ndarray:
    stored = read_values(path)
    if stored.palette is not None or stored.values.ndim != 2:
        raise DataError(
            f"`{path}` is a picture in colours, and a depth map holds numbers: grey, best of 16"
            " bits, or npy"
        )
    halves = stored.values.dtype == np.float16  # which have no place for what is divided
    return stored.values.astype(np.float32) if halves else stored.values


def _told(path: Path) -> float | None:
    """What a file of ours says of itself."""
    if path.suffix.lower() != ".png":
        return None
    with Image.open(path) as picture, suppress(ValueError, TypeError):
        told = float(picture.info.get("scale", ""))
        return told if told > 0 else None
    return None


def _refuse_coarse(path: Path) -> NoReturn:
    raise DataError(
        f"`{path}` has 8 bits, as pictures of depths for people have, whose numbers are hardly"
        " metres: take maps of 16 bits or npy, or say by `data.scale` how many of its numbers are"
        " one metre"
    )


def _refuse_empty(path: Path, numbers: np.ndarray) -> NoReturn:
    found = np.unique(numbers[:64, :64])[:3].tolist()
    raise DataError(
        f"`{path}` has no depth: all of its {numbers.size:,} pixels are holes (0, {SATURATED} or no"
        f" number; it holds {', '.join(f'{value:g}' for value in found)}); leave the pair out"
    )


def _refuse_other_unit(path: Path, middle: float, values: DepthValues, scale: float) -> None:
    if middle > FAR and values.scale is None:
        raise DataError(
            f"half of the depths of `{path}` are beyond {middle:.4g}, which are hardly metres: say"
            " by `data.scale` how many of its numbers are one (1000 for millimetres, 256 in KITTI),"
            " or `data.scale=1` if they are meant so"
        )
    if middle < NEAR and scale > 1:
        raise DataError(
            f"half of the depths of `{path}` are below {middle:.2g} with a `data.scale` of"
            f" {scale:g}: leave it out if the map's numbers are metres"
        )
