"""Arrays: `.npy` files, and pictures that are no files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from onlay_image.data.pillow_file import from_bytes
from onlay_image.data.raster import Layers, Raster, to_layers, window_of
from onlay_image.data.reading import Reading, UnfitError

MAGIC = b"\x93NUMPY"


def read_npy(file: Path | BinaryIO, reading: Reading) -> Layers:
    """The picture in a file of numpy's.

    Raises:
        ValueError, OSError: what cannot be read, is too large or does not fit.
    """
    try:
        mapped = "r" if isinstance(file, Path) else None
        values = np.load(file, mmap_mode=mapped, allow_pickle=False)
    except ValueError as error:
        if "Python objects" not in str(error):
            raise
        raise UnfitError("it holds Python objects, which are no grey values") from error
    if not isinstance(values, np.ndarray):
        raise UnfitError("it is no single array")
    return from_array(values, reading)


def from_array(values: np.ndarray, reading: Reading) -> Layers:
    """(H, W), (H, W, S) as numpy's users have it, or (S, H, W) as torch's have.

    Raises:
        ValueError: another shape, or values that do not fit.
    """
    values = _channels_last(values, reading.in_chans)
    reading.refuse_large(values.shape[1], values.shape[0], values.shape[2])
    window = window_of(values.dtype)
    if values.dtype == bool:
        values = values.astype(np.uint8) * np.uint8(255)
        window = 0.0, 255.0
    if values.dtype == np.uint8 and reading.in_chans in (1, 3):
        grey = values.shape[-1] == 1
        return from_bytes(Image.fromarray(np.array(values[..., 0] if grey else values)), reading)
    return to_layers(Raster(values=np.asarray(values), window=window), reading)


def _channels_last(values: np.ndarray, in_chans: int) -> np.ndarray:
    """(H, W, S) with as many channels as the backbone takes, or 1 or 3 for each other."""
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3:
        raise UnfitError(f"it is an array of shape {values.shape}, which is no picture")
    wanted = (in_chans, 4 - in_chans) if in_chans in (1, 3) else (in_chans,)
    for count in wanted:
        if values.shape[-1] == count:
            return values
        if values.shape[0] == count:
            return np.moveaxis(values, 0, -1)
    raise UnfitError(
        f"it is of shape {values.shape}, and the backbone takes {in_chans} channels, first or last:"
        f" set the backbone's `in_chans`, or give pictures of {in_chans}"
    )
