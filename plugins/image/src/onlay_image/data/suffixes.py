"""Which files are images, by their names. Imports Pillow and its plugins, and no torch."""

from __future__ import annotations

from PIL import Image

_NO_PICTURES = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PCD", "WMF"})
"""What Pillow has an opener for, and no pixels without another program: containers of data, films,
PostScript, Windows' drawings. And Photo CD, whose `.pcd` is a point cloud nowadays."""

_USUAL = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""What is asked for first: each is known by its first bytes, and most files are one of them."""

_HELD_BY = {"MPO": "JPEG"}
"""Formats without an opener of their own, which that of another reads."""

_OWN = frozenset({".dcm", ".dicom", ".npy"})
"""What is read without Pillow. TIFF is Pillow's, although some kinds of it are not."""


def _formats() -> tuple[str, ...]:
    Image.init()
    known = Image.OPEN.keys() - _NO_PICTURES
    usual = [name for name in _USUAL if name in known]
    return (*usual, *sorted(known.difference(usual)))


def _suffixes() -> frozenset[str]:
    return _OWN | {
        suffix.lower()
        for suffix, name in Image.EXTENSION.items()
        if _HELD_BY.get(name, name) in FORMATS
    }


FORMATS = _formats()
"""Pillow's names of the formats that are read, in the order in which a file is tried as each."""

SUFFIXES = _suffixes()
"""In lower case, with their dot; files whose suffix is spelt otherwise (`.JPG`) are meant, too."""
