"""Reading pictures, and finding those that cannot be read: the one place where a file becomes
numbers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from tokenize import TokenError

import numpy as np
from PIL import Image, UnidentifiedImageError

from onlay.errors import DataError
from onlay_image.data import array, dicom, tiff
from onlay_image.data.pillow_file import opened, read_file
from onlay_image.data.raster import Layers
from onlay_image.data.reading import Reading, UnfitError
from onlay_image.data.warned import noted

Source = Path | np.ndarray
"""A file, or the values of a picture (H, W), (H, W, S) or (S, H, W)."""

_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}
"""How files of JPEG and PNG begin and end."""
_TAIL = 4096
_HEAD = 132
"""Bytes by which every format is known."""

_UNREADABLE = (
    OSError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    TokenError,
    Image.DecompressionBombError,
)
"""What Pillow, tifffile, pydicom and numpy raise at files that are not what they seem."""


def read_picture(source: Source, reading: Reading | None = None) -> Layers:
    """The picture upright, opaque, 0 black and 255 white, with the channels of the backbone.

    Raises:
        DataError: the file is missing, truncated, no image, too large or of other channels; names
            it.
    """
    reading = reading or Reading()
    try:
        if isinstance(source, np.ndarray):
            return array.from_array(source, reading)
        with noted(source):
            layers = _layers(source, reading)
        reading.refuse_large(*layers[0].size)  # which a torn file may promise otherwise
        return layers
    except FileNotFoundError as error:
        raise DataError(f"there is no image `{source}`") from error
    except _UNREADABLE as error:
        raise _unreadable(source, error) from error


def _layers(path: Path, reading: Reading) -> Layers:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(array.MAGIC):
        return array.read_npy(path, reading)
    if head.endswith(dicom.MAGIC) or path.suffix.lower() in dicom.SUFFIXES:
        return dicom.read_dicom(path, reading)
    layers = tiff.read_tiff(path, reading) if head.startswith(tiff.MAGIC) else None
    return layers or read_file(path, reading)


def _unreadable(source: Source, error: BaseException) -> DataError:
    name = "an array" if isinstance(source, np.ndarray) else f"`{source}`"
    return DataError(f"{name} cannot be read as an image: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """In our words; those of the library are in the error's cause."""
    if isinstance(error, UnfitError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "it is no image, or of an unknown format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return "it is cut short"
    return "it is damaged, or of a kind that its decoder does not know"


def check_pictures(paths: Iterable[Path], reading: Reading | None = None) -> None:
    """Find files that cannot be read before training starts, without decoding every one.

    A JPEG or PNG that begins and ends as one passes if its header promises no more than is allowed;
    any other is decoded.

    Raises:
        DataError: the first file that is missing, truncated, no image, too large, or of other
            channels than the backbone's.
    """
    reading = reading or Reading()
    for path in paths:
        if reading.in_chans in (1, 3) and not reading.frame and _looks_whole(path):
            _check_header(path, reading)
        else:
            read_picture(path, reading)


def _check_header(path: Path, reading: Reading) -> None:
    try:
        with noted(path), opened(path, reading):
            pass
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def _looks_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            end = _ENDS.get(file.read(2))
            file.seek(max(0, path.stat().st_size - _TAIL))
            return end is not None and end in file.read()
    except OSError:
        return False
