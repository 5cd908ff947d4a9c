"""What Pillow opens: bytes as it reads them, deeper values with the range that they can have."""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

from onlay_image.data.colours import colour_of, mismatch
from onlay_image.data.raster import Layers, Raster, to_layers, window_of
from onlay_image.data.reading import Reading, UnfitError, no_frame
from onlay_image.data.suffixes import FORMATS

_SIXTEEN_BITS_IN_32 = ("PNG", "PPM")
"""Formats that Pillow reads as `I`, although they hold 0 to 65535."""

_ORIENTATION = 0x0112
"""The tag of EXIF that says how a picture is turned; 1 is as it is stored."""

_DEFLATE = 1032
"""Into how many bytes one compressed byte can unfold at the most (zlib's manual)."""

REDUCED = ("RGB;16B", "RGBA;16B", "LA;16B")
"""What of PNG has 16 bits, of which Pillow keeps 8."""

SCALED = {"1": 255, "L;2": 85, "L;4": 17}
"""How Pillow stretches the greys of a PNG of few bits; not its transparent grey."""


def read_file(file: BinaryIO, reading: Reading) -> Layers:
    """The picture upright, opaque and with as many channels as the backbone takes.

    Raises:
        ValueError, OSError: what cannot be read, is too large or does not fit.
    """
    with opened(file, reading) as picture:
        if picture.format == "PNG":
            refuse_changed(file)
        _seek(picture, reading.frame)
        _mend_transparency(picture)
        turned = upright(picture)
        raster = _deep(picture, turned)
        return to_layers(raster, reading) if raster else from_bytes(turned, reading)


def upright(picture: Image.Image) -> Image.Image:
    """Turned as EXIF says; the same one where that is as it is stored."""
    picture.load()
    if picture.getexif().get(_ORIENTATION, 1) == 1:
        return picture
    return ImageOps.exif_transpose(picture)


@contextmanager
def opened(file: BinaryIO, reading: Reading) -> Iterator[Image.Image]:
    """A file of a known format whose size is within bounds; nothing is decoded yet."""
    if Image.MAX_IMAGE_PIXELS is not None and reading.max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = reading.max_pixels  # Pillow's own limit is no narrower than ours
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # an error here, see below
        try:
            picture = Image.open(file, formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise UnfitError(
                f"it has more pixels than `data.preprocess.max_pixels` ({reading.max_pixels:,})"
                " allows"
            ) from error
    with picture:
        reading.refuse_large(*picture.size)
        _refuse_hollow(picture, file)
        _refuse_reduced(picture, reading)
        yield picture


def _refuse_hollow(picture: Image.Image, file: BinaryIO) -> None:
    """A PNG of more rows than its compressed bytes can hold: Pillow would fill them with black."""
    width, height = picture.size
    least = height * (1 + -(-width // 8))  # a byte for its filter, and a bit for each pixel
    if picture.format == "PNG" and least > _DEFLATE * _bytes_of(file):
        raise UnfitError(f"its header promises {width} x {height} pixels, and it holds fewer")


def _bytes_of(file: BinaryIO) -> int:
    with _kept_place(file):
        return file.seek(0, io.SEEK_END)


@contextmanager
def _kept_place(file: BinaryIO) -> Iterator[None]:
    """Pillow goes on reading where it stopped."""
    place = file.tell()
    try:
        yield
    finally:
        file.seek(place)


def refuse_changed(file: BinaryIO) -> None:
    """A PNG whose pixels are not those that were written: each piece has a checksum, at which
    Pillow does not look."""
    with _kept_place(file):
        file.seek(8)
        while len(head := file.read(8)) == 8:
            kind, data = head[4:], file.read(int.from_bytes(head[:4], "big"))
            told = file.read(4)
            if len(told) < 4:
                return  # cut short, which Pillow finds
            if kind == b"IDAT" and told != zlib.crc32(kind + data).to_bytes(4, "big"):
                raise UnfitError("it is damaged: the checksum of its pixels is another")


def _refuse_reduced(picture: Image.Image, reading: Reading) -> None:
    """A window of values of which Pillow has cut off the lower half."""
    if reading.windowed and picture.format == "PNG" and raw_mode(picture) in REDUCED:
        raise UnfitError(
            "Pillow reads 8 of the 16 bits of a PNG in colour, too few for a `value_range` or"
            " `percentile`; save it as TIFF or npy"
        )


def raw_mode(picture: Image.Image) -> str:
    """How Pillow unpacks the pixels of a PNG that is not decoded yet."""
    tiles: Any = getattr(picture, "tile", ())
    return str(tiles[0][3]) if tiles else ""


def orientation(picture: Image.Image, file: BinaryIO) -> int:
    """As EXIF says; a PNG is decoded only where something is behind its pixels that may say it."""
    behind = picture.format != "PNG" or _said_behind(file)
    own = picture.getexif() if behind else Image.Image.getexif(picture)
    return own.get(_ORIENTATION, 1)


def _said_behind(file: BinaryIO) -> bool:
    """Whether a PNG has anything but its end behind its pixels."""
    with _kept_place(file):
        file.seek(8)
        met = False
        while len(head := file.read(8)) == 8:
            if met and head[4:] not in (b"IDAT", b"IEND"):
                return True
            met = met or head[4:] == b"IDAT"
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


def _seek(picture: Image.Image, frame: int) -> None:
    count = getattr(picture, "n_frames", 1)
    if frame >= count:
        raise UnfitError(no_frame(count, frame))
    if frame:
        picture.seek(frame)


def _mend_transparency(picture: Image.Image) -> None:
    """The transparent grey or colour of a PNG on the scale of the pixels."""
    given = picture.info.get("transparency")
    raw = raw_mode(picture) if picture.format == "PNG" else ""
    if isinstance(given, tuple) and raw in REDUCED:
        picture.info["transparency"] = tuple(value >> 8 for value in given)
    elif isinstance(given, int) and raw in SCALED:
        picture.info["transparency"] = given * SCALED[raw]


def _deep(opened: Image.Image, upright: Image.Image) -> Raster | None:
    """The values of a picture of more than 8 bits."""
    if not (upright.mode.startswith("I") or upright.mode == "F"):
        return None
    refuse_signed(opened)
    values = np.asarray(upright)[..., None]
    sixteen = upright.mode.startswith("I;16") or opened.format in _SIXTEEN_BITS_IN_32
    window = (0.0, 65535.0) if sixteen and upright.mode != "F" else window_of(values.dtype)
    clear = opened.info.get("transparency")
    if not isinstance(clear, int):
        return Raster(values=values, window=window)
    opacity = np.where(values == clear, window[0], window[1]).astype(values.dtype)
    return Raster(values=np.concatenate([values, opacity], -1), window=window, alpha="straight")


def refuse_signed(picture: Image.Image) -> None:
    """Whole numbers of FITS of more than 8 bits."""
    if picture.format == "FITS" and picture.mode.startswith("I"):
        raise UnfitError(
            "Pillow does not read the sign and zero of FITS integers; save it as TIFF or npy"
        )


def from_bytes(picture: Image.Image, reading: Reading) -> Layers:
    """A picture of up to 8 bits a channel in RGB, in grey, or its channels as they are stored."""
    if reading.in_chans not in (1, 3):
        bands = picture.split() if picture.mode in ("LA", "RGBA", "RGBX") else ()
        if len(bands) == reading.in_chans:
            return _windowed(np.stack([np.asarray(band) for band in bands], -1), reading)
        raise UnfitError(mismatch(1 if picture.mode in ("1", "L") else 3, reading.in_chans))
    shown = opaque(picture, reading)
    if shown.mode != "RGB":
        shown = shown.convert("RGB")
    if reading.windowed:
        return _windowed(np.asarray(shown), reading)
    return (shown if reading.in_chans == 3 else shown.convert("L"),)


def _windowed(values: np.ndarray, reading: Reading) -> Layers:
    return to_layers(Raster(values=values, window=(0.0, 255.0)), reading)


def opaque(picture: Image.Image, reading: Reading) -> Image.Image:
    """Composited over the background, in whatever way a picture is transparent."""
    if not picture.has_transparency_data:
        return picture
    straight = picture.convert("LA") if picture.mode == "La" else picture
    behind = Image.new("RGBA", picture.size, (*colour_of(reading), 255))
    return Image.alpha_composite(behind, straight.convert("RGBA"))
