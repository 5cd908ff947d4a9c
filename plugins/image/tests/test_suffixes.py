"""Which names are those of pictures, and that each of these formats is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from onlay_image.data.pictures import read_picture
from onlay_image.data.suffixes import FORMATS, SUFFIXES


def test_every_spelling_of_the_usual_formats() -> None:
    usual = "jpg jpeg jpe jfif png apng gif bmp dib tif tiff webp jp2 j2k jpx ppm pgm pbm pnm"
    assert {f".{name}" for name in usual.split()} <= SUFFIXES
    assert (".avif" in SUFFIXES) == ("AVIF" in FORMATS), "Pillow has it since 11.3"
    assert {".tga", ".psd", ".ico", ".mpo", ".qoi", ".pfm", ".npy", ".dcm"} <= SUFFIXES


def test_what_only_looks_like_one() -> None:
    others = {".pdf", ".eps", ".ps", ".h5", ".hdf", ".mpg", ".mpeg", ".wmf", ".emf", ".grib"}
    assert not SUFFIXES & {*others, ".bufr", ".pcd", ".palm", ".txt", ".npz", ".heic", ""}
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)


LOSSY = {"JPEG", "AVIF", "WEBP", "JPEG2000", "GIF"}
WRITTEN = {".jfif": "JPEG", ".JPG": "JPEG", ".avif": "AVIF", ".jp2": "JPEG2000", ".webp": "WEBP"}
WRITTEN |= {".tif": "TIFF", ".PNG": "PNG", ".tga": "TGA", ".ppm": "PPM", ".bmp": "BMP"}
WRITTEN |= {".gif": "GIF", ".ico": "ICO", ".pcx": "PCX", ".sgi": "SGI", ".dds": "DDS"}


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_picture_in_every_format(suffix: str, tmp_path: Path) -> None:
    name = WRITTEN[suffix]
    codec = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}.get(name)
    if codec and not features.check(codec):
        pytest.skip(f"this Pillow was built without {name}")
    Image.new("RGB", (16, 16), (200, 100, 50)).save(tmp_path / f"a{suffix}", name)
    assert name in FORMATS
    assert suffix.lower() in SUFFIXES
    (picture,) = read_picture(tmp_path / f"a{suffix}")
    assert picture.size == (16, 16)
    shown = np.asarray(picture, int)[8, 8]
    assert shown == pytest.approx([200, 100, 50], abs=4 if name in LOSSY else 0)
