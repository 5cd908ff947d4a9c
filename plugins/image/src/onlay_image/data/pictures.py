"""Reading image files, and finding those that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from onlay.errors import DataError

Source = Path | np.ndarray
"""A file, or grey values (H, W) as bytes."""

_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}
"""How files of JPEG and PNG begin and end."""
_TAIL = 4096


def read_picture(source: Source) -> Image.Image:
    """The picture in RGB, turned upright as its camera noted.

    Raises:
        DataError: the file is missing, truncated or no image; names it.
    """
    if isinstance(source, np.ndarray):
        return Image.fromarray(source).convert("RGB")
    try:
        with Image.open(source) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except FileNotFoundError as error:
        raise DataError(f"there is no image `{source}`") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "it is no image, or of an unknown format" if unknown else error
        raise DataError(f"`{source}` cannot be read as an image: {reason}") from error


def check_pictures(paths: Iterable[Path]) -> None:
    """Find files that cannot be read before training starts, without decoding every one.

    A file that begins and ends as an image does passes; any other is decoded.

    Raises:
        DataError: the first file that is missing, truncated or no image.
    """
    for path in paths:
        if not _looks_whole(path):
            read_picture(path)


def _looks_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            end = _ENDS.get(file.read(2))
            file.seek(max(0, path.stat().st_size - _TAIL))
            return end is not None and end in file.read()
    except OSError:
        return False
