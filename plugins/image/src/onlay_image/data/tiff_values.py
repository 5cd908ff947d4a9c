"""The numbers of a TIFF as they are stored: Pillow stretches and inverts some of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from onlay_image.data import tiff
from onlay_image.data.reading import Reading, UnfitError
from onlay_image.timm_types import TiffPage

LOSSY = ("JPEG", "JP2000", "WEBP", "LERC")
"""What the names of compressions have in them that may change numbers."""
_PALETTE = 3
_COLOURS = 3


def stored(place: Path | BinaryIO, reading: Reading) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Values (H, W, S) without opacity, upright, and the colours (n, 3) of a palette; `None` for a
    file that Pillow reads as well, or that has colours of another kind.

    Raises:
        ValueError, OSError: what cannot be read, or is too large.
    """
    return _of_page(place, reading, lambda page: _stored(page, place, reading))


def extent(place: Path | BinaryIO, reading: Reading) -> tuple[int, int]:
    """Height and width, upright, by the header.

    Raises:
        ValueError, OSError: as `stored`.
    """
    height, width = _of_page(place, reading, tiff.size_upright)
    reading.refuse_large(width, height)
    return height, width


def _of_page(place: Path | BinaryIO, reading: Reading, what: Callable[[TiffPage], Any]) -> Any:
    from tifffile import TiffFile, TiffFileError

    try:
        with TiffFile(place) as opened:
            return what(tiff.chosen(list(opened.pages), reading))
    except TiffFileError as error:  # which is no `ValueError` in older versions
        raise ValueError(str(error)) from error


def _stored(
    page: TiffPage, place: Path | BinaryIO, reading: Reading
) -> tuple[np.ndarray, np.ndarray | None] | None:
    reading.refuse_large(page.imagewidth, page.imagelength, page.samplesperpixel)
    _refuse_lossy(page)
    if _left_to_pillow(page):
        return None
    _refuse_short(page)
    values = tiff.values_of(page, place, reading.frame)
    own = _COLOURS if page.photometric == tiff.RGB or values.shape[-1] > 2 else 1
    if values.shape[-1] > own and page.photometric != tiff.RGB and own > 1:
        raise UnfitError(f"it has {values.shape[-1]} channels, and numbers are in one")
    palette = page.colormap.T >> 8 if page.photometric == _PALETTE else None
    return np.ascontiguousarray(values[..., :own]), palette


def _refuse_lossy(page: TiffPage) -> None:
    name = page.compression.name
    if any(part in name for part in LOSSY):
        what = "JPEG" if name == "JPEG" else f"TIFF compressed by `{name}`"
        raise UnfitError(f"it is a {what}, which changes numbers: store them as PNG, TIFF or npy")


def _left_to_pillow(page: TiffPage) -> bool:
    """Colours of bytes, which Pillow keeps and has more ways to decompress, and of other kinds than
    red, green and blue, which it converts.

    Raises:
        UnfitError: of the latter kind, and neither upright nor compressed.
    """
    known = page.photometric in (tiff.WHITE_IS_ZERO, tiff.BLACK_IS_ZERO, tiff.RGB, _PALETTE)
    if tiff.scrambled(page):
        if not known:
            raise UnfitError(tiff.UNTURNED)
        return False
    grey = page.samplesperpixel == 1 and page.photometric != _PALETTE
    inverted = page.photometric == tiff.WHITE_IS_ZERO
    return not known or (page.bitspersample <= 8 and not grey and not inverted)


def _refuse_short(page: TiffPage) -> None:
    """A file that ends before its pixels do, which tifffile fills with zeros."""
    ends = (at + n for at, n in zip(page.dataoffsets, page.databytecounts, strict=True))
    if max(ends, default=0) > page.parent.filehandle.size:
        raise UnfitError("it is cut short")
