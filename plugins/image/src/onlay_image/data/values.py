"""The numbers of a file as they are stored, of whatever they are: classes, objects, depths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from onlay.reading.packed import Packed
from onlay_image.data import array
from onlay_image.data.pictures import in_words, open_source, read_picture
from onlay_image.data.pillow_file import SCALED, opened, raw_mode, refuse_changed, upright
from onlay_image.data.reading import Reading, UnfitError

_LOSSY = ("jpeg", "tiff_jpeg")
"""Compressions inside of TIFF."""
_TURNED = (5, 6, 7, 8)
_ORIENTATION = 274


@dataclass(frozen=True)
class Stored:
    """What a file holds, upright."""

    values: np.ndarray
    """(H, W): grey values, indices of a palette, numbers; or colours (H, W, 3) in bytes."""
    palette: np.ndarray | None = None
    """Colours (n, 3) of the indices, where there are any."""


def read_values(source: Path | Packed, reading: Reading | None = None) -> Stored:
    """Grey values and indices of any depth, never through their colours. Opacity is left out, and
    colours that are all grey are grey values.

    Raises:
        DataError: the file is missing, truncated, no image or too large; names it.
    """
    reading = reading or Reading()
    with in_words(source), open_source(source) as file:
        magic = file.read(len(array.MAGIC))
        file.seek(0)
        if magic == array.MAGIC:
            return Stored(_plane(np.load(file, allow_pickle=False), reading))
        with opened(file, reading) as picture:
            _refuse_lossy(picture)
            if picture.format == "PNG":
                refuse_changed(file)
            return _stored(picture)


def _refuse_lossy(picture: Image.Image) -> None:
    """What is meant for the eye holds other numbers than were stored, most of all where two
    meet."""
    if picture.format in ("JPEG", "MPO") or picture.info.get("compression") in _LOSSY:
        raise UnfitError("it is a JPEG, which changes numbers: store them as PNG, TIFF or npy")


def _plane(values: np.ndarray, reading: Reading) -> np.ndarray:
    """The one plane of an array, whichever axis it is alone on."""
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    elif values.ndim == 3 and values.shape[0] == 1 and values.shape[-1] != 3:
        values = values[0]
    colours = values.ndim == 3 and values.shape[-1] == 3 and values.dtype == np.uint8
    if values.dtype.kind not in "buif" or (values.ndim != 2 and not colours):
        raise UnfitError(f"it is `{values.dtype}` of shape {values.shape}, and no plane of numbers")
    reading.refuse_large(values.shape[1], values.shape[0])
    return _grey(values.astype(np.uint8) if values.dtype == bool else values)


def _stored(picture: Image.Image) -> Stored:
    scale = SCALED.get(raw_mode(picture), 1) if picture.format == "PNG" else 1
    picture = upright(picture)
    if picture.mode in ("P", "PA"):
        colours = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        indices = np.asarray(picture)
        return Stored(indices if indices.ndim == 2 else indices[..., 0], colours)
    if picture.mode == "1":
        return Stored(np.asarray(picture).astype(np.uint8))
    if picture.mode in ("L", "LA", "La"):
        grey = np.asarray(picture)
        return Stored((grey if grey.ndim == 2 else grey[..., 0]) // scale)
    if picture.mode[0] in "IF":
        values = np.asarray(picture)
        return Stored(values.astype(values.dtype.newbyteorder("=")))
    return Stored(_grey(np.asarray(picture.convert("RGB"))))


def _grey(values: np.ndarray) -> np.ndarray:
    """One plane of three alike."""
    alike = values.ndim == 3 and (values == values[..., :1]).all()
    return values[..., 0] if alike else values


def extent_of(source: Path | Packed, reading: Reading | None = None) -> tuple[int, int]:
    """Height and width, upright, by the header alone where that says them.

    Raises:
        DataError: as `read_picture`.
    """
    reading = reading or Reading()
    try:
        with open_source(source) as file, opened(file, reading) as picture:
            turned = picture.format == "JPEG" and picture.getexif().get(_ORIENTATION) in _TURNED
            width, height = picture.size
    except (OSError, ValueError, SyntaxError):
        width, height, turned = *read_picture(source, reading)[0].size, False
    return (width, height) if turned else (height, width)
