"""TIFF that Pillow cannot open or would reduce: deep colours, many bands, doubles, signed bytes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from onlay.host.firstparty import install
from onlay_image.data.raster import Alpha, Layers, Raster, to_layers, window_of
from onlay_image.data.reading import Reading, UnfitError, no_frame
from onlay_image.timm_types import TiffFile, TiffPage

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what matters is raised

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
_UNCOMPRESSED = 1
_ORIENTATION = 274
_TURNED = (5, 6, 7, 8)
_ALPHA: Mapping[int, Alpha] = {1: "premultiplied", 2: "straight"}
_COLOURS = 3

UNTURNED = "Pillow does not turn such a TIFF upright; save it as PNG"


def read_tiff(file: Path | BinaryIO, reading: Reading) -> Layers | None:
    """The channels of a file that is better not left to Pillow; `None` for any other.

    Raises:
        ValueError, OSError: what cannot be read, is too large or does not fit.
    """
    from tifffile import TiffFile, TiffFileError

    try:
        return _layers(TiffFile(file), file, reading)
    except TiffFileError as error:  # which is no `ValueError` in older versions
        raise ValueError(str(error)) from error


def _layers(opened: TiffFile, file: Path | BinaryIO, reading: Reading) -> Layers | None:
    with opened:
        pages = _pages(list(opened.pages), reading)
        if not pages:
            return None
        first = pages[0]
        bands = len(pages) * first.samplesperpixel
        reading.refuse_large(first.imagewidth, first.imagelength, bands)
        values = [values_of(page, file, number) for number, page in enumerate(pages, reading.frame)]
    return to_layers(_raster(first, np.concatenate(values, -1), reading), reading)


def _pages(pages: list[TiffPage], reading: Reading) -> list[TiffPage]:
    """The page that is read; all, if each is one of as many bands as the backbone takes; none, if
    Pillow reads it as well."""
    many = reading.in_chans not in (1, _COLOURS)
    if many and len(pages) == reading.in_chans and pages[0].samplesperpixel == 1:
        return list(pages)
    page = chosen(pages, reading)
    bare = page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
    if scrambled(page) and not bare:
        raise UnfitError(UNTURNED)
    return [page] if bare and (many or scrambled(page) or not _ordinary(page)) else []


def chosen(pages: list[TiffPage], reading: Reading) -> TiffPage:
    """The one that is read.

    Raises:
        UnfitError: there is none.
    """
    if not pages:
        raise UnfitError("it is torn: it has no page")
    if reading.frame >= len(pages):
        raise UnfitError(no_frame(len(pages), reading.frame))
    return pages[reading.frame]


def scrambled(page: TiffPage) -> bool:
    """Turned and not compressed: Pillow takes rows for columns before it turns them."""
    return page.tags.valueof(_ORIENTATION, 1) in _TURNED and page.compression == _UNCOMPRESSED


def _ordinary(page: TiffPage) -> bool:
    """Bytes or bits of grey or colour, with opacity or without."""
    if page.bitspersample > 8 or page.sampleformat != 1:
        return False
    if page.photometric == RGB:
        return page.samplesperpixel in (_COLOURS, _COLOURS + 1)
    return page.samplesperpixel == 1 or _opacity(page) is not None


def values_of(page: TiffPage, file: Path | BinaryIO, number: int) -> np.ndarray:
    """(H, W, S) as they are stored, upright."""
    if not set(page.axes) <= set("YXS") or page.axes[-2:] not in ("YX", "XS"):
        raise UnfitError(f"its axes are `{page.axes}`, and not those of a picture")
    try:
        values = page.asarray()
    except (KeyError, NotImplementedError, ValueError) as error:
        if "imagecodecs" not in str(error):
            raise
        return _through_pillow(page, file, number, error)
    values = np.moveaxis(values, 0, -1) if page.axes == "SYX" else np.atleast_3d(values)
    return _upright(values, page.tags.valueof(_ORIENTATION, 1))


def _through_pillow(
    page: TiffPage, file: Path | BinaryIO, number: int, error: Exception
) -> np.ndarray:
    """Grey values, which Pillow keeps whole, and which it has more ways to decompress."""
    if page.samplesperpixel > 1:
        raise UnfitError(
            f"its compression `{page.compression.name}` needs `imagecodecs`:"
            f" {install('onlay-image[tiff]')}"
        ) from error
    if scrambled(page):
        raise UnfitError(UNTURNED) from error
    if not isinstance(file, Path):
        file.seek(0)
    with Image.open(file, formats=["TIFF"]) as picture:
        picture.seek(number)
        upright = np.asarray(ImageOps.exif_transpose(picture))
    return _unstretched(upright, page).astype(page.dtype)[..., None]


def _unstretched(grey: np.ndarray, page: TiffPage) -> np.ndarray:
    """Pillow stretches greys of few bits to 255, and inverts them where white is 0."""
    bits = page.bitspersample
    if bits > 8 or page.photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO):
        return grey
    most = 2**bits - 1
    stored = grey if grey.dtype == bool else grey // (255 // most)
    return most - stored if page.photometric == WHITE_IS_ZERO else stored


def size_upright(page: TiffPage) -> tuple[int, int]:
    """Height and width."""
    size = page.imagelength, page.imagewidth
    return size[::-1] if page.tags.valueof(_ORIENTATION, 1) in _TURNED else size


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """By the tag, which is that of EXIF: 2 to 4 mirror, 5 to 8 also swap rows and columns."""
    if orientation in _TURNED:
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values[::-1] if orientation in (3, 4, 7, 8) else values


def _opacity(page: TiffPage) -> Alpha | None:
    """Whether one channel follows the others and is opacity."""
    own = _COLOURS if page.photometric == RGB else 1
    extra = [int(kind) for kind in page.extrasamples]
    return _ALPHA.get(extra[0]) if len(extra) == 1 == page.samplesperpixel - own else None


def _raster(page: TiffPage, values: np.ndarray, reading: Reading) -> Raster:
    """Opacity is composited; what else follows red, green and blue is no part of the picture."""
    alpha = _opacity(page)
    if page.photometric == RGB and alpha is None and reading.in_chans != values.shape[-1]:
        values = values[..., :_COLOURS]
    if values.dtype == bool:
        values = values.astype(np.uint8)
    return Raster(
        values=values,
        window=window_of(page.dtype, page.bitspersample),
        alpha=alpha,
        inverted=page.photometric == WHITE_IS_ZERO,
    )
