"""Reading pictures, and finding those that cannot be read: the one place where a file becomes
numbers.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from onlay.errors import DataError
from onlay.reading.packed import Packed
from onlay_image.data import array, dicom, tiff
from onlay_image.data.pillow_file import opened, read_file
from onlay_image.data.raster import Layers
from onlay_image.data.reading import Reading, UnfitError
from onlay_image.data.warned import noted

Source = Path | Packed | np.ndarray
"""A file, one inside of another, or the values of a picture (H, W), (H, W, S) or (S, H, W)."""

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
    with in_words(source):
        if isinstance(source, np.ndarray):
            return array.from_array(source, reading)
        with noted(source):
            layers = _layers(source, reading)
        reading.refuse_large(*layers[0].size)  # which a torn file may promise otherwise
        return layers


@contextmanager
def in_words(source: Source) -> Iterator[None]:
    """Whatever goes wrong while a source is read is a `DataError` that names it."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"there is no image `{source}`") from error
    except _UNREADABLE as error:
        raise _unreadable(source, error) from error


def _layers(source: Path | Packed, reading: Reading) -> Layers:
    with open_source(source) as file:
        head = file.read(_HEAD)
        file.seek(0)
        place = source if isinstance(source, Path) else file
        if head.startswith(array.MAGIC):
            return array.read_npy(place, reading)
        if head.endswith(dicom.MAGIC) or source.suffix.lower() in dicom.SUFFIXES:
            return dicom.read_dicom(place, reading)
        layers = tiff.read_tiff(place, reading) if head.startswith(tiff.MAGIC) else None
        file.seek(0)
        return layers or read_file(file, reading)


def open_source(source: Path | Packed) -> BinaryIO:
    """Its bytes."""
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source.read())


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


def check_pictures(sources: Iterable[Path | Packed], reading: Reading | None = None) -> None:
    """Find files that cannot be read before training starts, without decoding every one.

    A JPEG or PNG that begins and ends as one passes if its header promises no more than is allowed;
    any other is decoded.

    Raises:
        DataError: the first file that is missing, truncated, no image, too large, or of other
            channels than the backbone's.
    """
    reading = reading or Reading()
    for source in sources:
        if reading.in_chans not in (1, 3) or reading.frame or not _is_whole(source, reading):
            read_picture(source, reading)


def _is_whole(source: Path | Packed, reading: Reading) -> bool:
    """Whether it begins and ends as a JPEG or PNG, with a header that may be."""
    try:
        file = open_source(source)
    except OSError:
        return False
    with file:
        if not _looks_whole(file):
            return False
        try:
            with noted(source), opened(file, reading):
                return True
        except _UNREADABLE as error:
            raise _unreadable(source, error) from error


def _looks_whole(file: BinaryIO) -> bool:
    """Whether the ends are there; back to where it begins."""
    try:
        end = _ENDS.get(file.read(2))
        file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL))
        return end is not None and end in file.read()
    except OSError:
        return False
    finally:
        file.seek(0)
