"""Pictures that hold other numbers than were stored: what is meant for the eye changes them, most
of all where two meet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from PIL import Image

from onlay_image.data.pillow_file import REDUCED, raw_mode, refuse_changed, refuse_signed
from onlay_image.data.reading import UnfitError

_LOSSY = {
    "JPEG": "a JPEG, which changes numbers",
    "MPO": "a JPEG, which changes numbers",
    "JPEG2000": "a JPEG 2000, which may have changed numbers",
    "AVIF": "an AVIF, which may have changed numbers",
    "DDS": "a texture, which may have changed numbers",
    "FTEX": "a texture, which may have changed numbers",
    "BLP": "a texture, which may have changed numbers",
}
"""By Pillow's names of formats."""
_INSTEAD = ": store them as PNG, TIFF or npy"
_FRAME_HEAD = 16
"""Bytes of a frame of an animated WebP before its own chunks."""


def refuse_other_numbers(picture: Image.Image, file: BinaryIO) -> None:
    """Raise an `UnfitError` where the numbers that Pillow gives are not those that were stored."""
    if (what := _LOSSY.get(picture.format or "")) is not None:
        raise UnfitError(f"it is {what}{_INSTEAD}")
    if picture.format == "WEBP" and b"VP8 " in _kinds(file):
        raise UnfitError(f"it is a lossy WebP, which changes numbers{_INSTEAD}")
    if picture.format == "PNG":
        refuse_changed(file)
        if raw_mode(picture) in REDUCED:
            raise UnfitError(
                "Pillow reads 8 of the 16 bits of a PNG in colour or with opacity: store numbers"
                " in one channel of 16 bits, or as TIFF or npy"
            )
    if picture.format == "PPM" and picture.mode == "RGB" and maxval(picture) > 255:
        raise UnfitError(
            "Pillow reads 8 of the 16 bits of a PPM in colour: store numbers in one channel, as PGM"
            " or PNG"
        )
    refuse_signed(picture)


def maxval(picture: Image.Image) -> int:
    """The number that a PGM or PPM, which is not decoded yet, calls white; Pillow stretches all
    others to 255 or 65535."""
    tiles: Any = getattr(picture, "tile", ())
    told = tiles[0][3] if tiles else ()
    whole = 65535 if picture.mode == "I" else 255
    return told[-1] if isinstance(told, tuple) and tiles[0][0].startswith("ppm") else whole


def _kinds(file: BinaryIO) -> set[bytes]:
    """Of the chunks of a WebP, those of frames too."""
    place = file.tell()
    try:
        file.seek(12)
        return set(_chunks(file))
    finally:
        file.seek(place)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while len(head := file.read(8)) == 8:
        yield head[:4]
        length = int.from_bytes(head[4:], "little")
        file.seek(_FRAME_HEAD if head[:4] == b"ANMF" else length + length % 2, 1)
