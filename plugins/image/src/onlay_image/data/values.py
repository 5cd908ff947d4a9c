"""The numbers of a file as they are stored, of whatever they are: classes, objects, depths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from onlay.reading.packed import Packed
from onlay_image.data import array, tiff, tiff_values
from onlay_image.data.lossless import maxval, refuse_other_numbers
from onlay_image.data.pictures import in_words, open_source, read_picture
from onlay_image.data.pillow_file import SCALED, opened, orientation, raw_mode, upright
from onlay_image.data.reading import Reading, UnfitError

_TURNED = (5, 6, 7, 8)
"""Orientations of EXIF that swap rows and columns."""


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
        DataError: the file is missing, truncated, no image, too large, or of a kind whose numbers
            are not those that were stored; names it.
    """
    reading = reading or Reading()
    with in_words(source), open_source(source) as file:
        magic = _magic(file)
        if magic == array.MAGIC:
            return Stored(_plane(np.load(file, allow_pickle=False), reading))
        place = source if isinstance(source, Path) else file
        if magic.startswith(tiff.MAGIC) and (found := tiff_values.stored(place, reading)):
            return Stored(_plane(found[0], reading), found[1])
        file.seek(0)
        with opened(file, reading) as picture:
            refuse_other_numbers(picture, file)
            return _stored(picture)


def _magic(file: BinaryIO) -> bytes:
    """The first bytes; back to where it begins."""
    magic = file.read(len(array.MAGIC))
    file.seek(0)
    return magic


def _plane(values: np.ndarray, reading: Reading) -> np.ndarray:
    """The one plane of an array, whichever axis it is alone on."""
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    elif values.ndim == 3 and values.shape[0] == 1 and values.shape[-1] != 3:
        values = values[0]
    values = _grey(values)
    colours = values.ndim == 3 and values.shape[-1] == 3 and values.dtype == np.uint8
    if values.dtype.kind not in "buif" or (values.ndim != 2 and not colours):
        raise UnfitError(f"it is `{values.dtype}` of shape {values.shape}, and no plane of numbers")
    reading.refuse_large(values.shape[1], values.shape[0])
    plain = np.uint8 if values.dtype == bool else values.dtype.newbyteorder("=")
    return values.astype(plain)


def _stored(picture: Image.Image) -> Stored:
    scale = SCALED.get(raw_mode(picture), 1) if picture.format == "PNG" else 1
    most = maxval(picture) if picture.format == "PPM" else None
    picture = upright(picture)
    if picture.mode in ("P", "PA"):
        colours = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        indices = np.asarray(picture)
        return Stored(indices if indices.ndim == 2 else indices[..., 0], colours)
    if picture.mode == "1":
        return Stored(np.asarray(picture).astype(np.uint8))
    if picture.mode in ("L", "LA", "La"):
        grey = np.asarray(picture)
        grey = grey if grey.ndim == 2 else grey[..., 0]
        return Stored(grey // scale if most is None else _unstretched(grey, 255, most))
    if picture.mode[0] in "IF":
        values = np.asarray(picture)
        if most is not None and picture.mode == "I":
            values = _unstretched(values, 65535, most)
        return Stored(values.astype(values.dtype.newbyteorder("=")))
    colours = np.asarray(picture.convert("RGB"))
    return Stored(_grey(colours if most is None else _unstretched(colours, 255, most)))


def _unstretched(values: np.ndarray, whole: int, most: int) -> np.ndarray:
    """The numbers up to `most` that Pillow has stretched to `whole`, exactly: it rounds to the
    nearest one, by less than half a step."""
    if most == whole:
        return values
    return ((2 * most * values.astype(np.int64) + whole) // (2 * whole)).astype(values.dtype)


def _grey(values: np.ndarray) -> np.ndarray:
    """One plane of three alike."""
    three = values.ndim == 3 and values.shape[-1] == 3
    return values[..., 0] if three and (values == values[..., :1]).all() else values


def extent_of(source: Path | Packed, reading: Reading | None = None) -> tuple[int, int]:
    """Height and width, upright, by the header alone where that says them.

    Raises:
        DataError: as `read_picture`.
    """
    reading = reading or Reading()
    try:
        with open_source(source) as file:
            if _magic(file).startswith(tiff.MAGIC):
                return tiff_values.extent(source if isinstance(source, Path) else file, reading)
            with opened(file, reading) as picture:
                width, height = picture.size
                turned = orientation(picture, file) in _TURNED
    except (OSError, ValueError, SyntaxError):
        width, height, turned = *read_picture(source, reading)[0].size, False
    return (width, height) if turned else (height, width)
