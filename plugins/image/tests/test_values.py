"""Numbers are read as they are stored, or refused in words."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, features
from pixels import png

from onlay.errors import DataError
from onlay_image.data.pictures import read_picture
from onlay_image.data.values import extent_of, read_values

NUMBERS = np.array([[0, 1, 255], [256, 300, 1000]], np.uint16)
"""Three of them differ in the lower byte alone."""
FEW = np.array([[0, 1, 2], [3, 1, 0]], np.uint8)


def stored(path: Path) -> list[Any]:
    return read_values(path).values.tolist()


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_values(path)
    assert "\n" not in str(error.value)
    return str(error.value).partition("image: ")[2]


# --- PNG ------------------------------------------------------------------------------------------


def test_sixteen_bits_of_a_png_are_read_or_refused(tmp_path: Path) -> None:
    """Of grey with opacity and of colours Pillow keeps the high byte: 0, 0, 0, 1, 1, 3."""
    wide = NUMBERS.astype(">u2")
    opaque = np.full_like(wide, 65535)
    assert stored(png(tmp_path / "g.png", wide, 0, 16)) == NUMBERS.tolist()
    for colour, planes in ((4, [wide, opaque]), (2, [wide] * 3), (6, [wide] * 3 + [opaque])):
        file = png(tmp_path / f"{colour}.png", np.stack(planes, -1), colour, 16)
        said = "Pillow reads 8 of the 16 bits of a PNG in colour or with opacity: store numbers"
        assert refusal(file).startswith(said)


# --- TIFF -----------------------------------------------------------------------------------------

PHOTOMETRIC = {"miniswhite": NUMBERS, "minisblack": NUMBERS, "rgb": np.stack([NUMBERS] * 3, -1)}


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("photometric", PHOTOMETRIC)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_tiff_holds_its_numbers_and_not_their_shades(
    tmp_path: Path, dtype: str, photometric: str, compression: Any
) -> None:
    values = PHOTOMETRIC[photometric].astype(dtype)
    how: Any = {"photometric": photometric, "compression": compression, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", values, **how)
    assert stored(tmp_path / "a.tif") == NUMBERS.astype(dtype).tolist()


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "int16", "int32", "int64", "uint32", "uint64", "float16", "float64"],
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_tiff_of_every_type(tmp_path: Path, dtype: str, byteorder: Any) -> None:
    values = np.array([[0, 1, 2], [3, 100, 5]]).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=byteorder, metadata=None)
    found = read_values(tmp_path / "a.tif").values
    assert found.tolist() == values.tolist()
    assert found.dtype == (np.uint8 if dtype == "bool" else values.dtype)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits"])
@pytest.mark.parametrize("inverted", [False, True])
def test_bits_and_bytes_through_pillow(tmp_path: Path, inverted: bool, compression: Any) -> None:
    """LZW and PackBits need `imagecodecs` or Pillow, which inverts where white is 0."""
    for mode, values in (("L", FEW), ("1", FEW > 0)):
        shown = Image.fromarray(values)
        assert shown.mode == mode
        shown.save(file := tmp_path / f"{mode}.tif", compression=compression)
        if inverted:
            file.write_bytes(_white_is_zero(file.read_bytes()))
        assert stored(file) == values.astype(int).tolist()


def _white_is_zero(content: bytes) -> bytes:
    """The tag 262 is 0 instead of 1."""
    entry = struct.pack("<HHI", 262, 3, 1)
    at = content.index(entry) + len(entry)
    assert content[at] == 1
    return content[:at] + b"\0" + content[at + 1 :]


@pytest.mark.parametrize("photometric", [0, 1])
def test_four_bits_of_a_tiff(tmp_path: Path, photometric: int) -> None:
    """Rows of 0 1 2 3 and 4 5 6 0, as the format's specification has them; Pillow reads 17 n."""
    tags = [(256, 3, 4), (257, 3, 2), (258, 3, 4), (259, 3, 1), (262, 3, photometric)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 3, 2), (279, 4, 4)]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<I", 12) + bytes([0x01, 0x23, 0x45, 0x60])
    content = head + struct.pack("<H", len(tags)) + body + bytes(4)
    (tmp_path / "a.tif").write_bytes(content)
    assert stored(tmp_path / "a.tif") == [[0, 1, 2, 3], [4, 5, 6, 0]]


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_palettes_and_opacity_of_a_tiff(tmp_path: Path, compression: Any) -> None:
    indexed = Image.fromarray(FEW, "P")
    indexed.putpalette([9, 9, 9, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    indexed.save(tmp_path / "p.tif", compression=compression)
    found = read_values(tmp_path / "p.tif")
    assert found.values.tolist() == FEW.tolist()
    assert found.palette is not None
    assert found.palette[:2].tolist() == [[9, 9, 9], [255, 0, 0]]
    clear = np.full_like(FEW, 7)
    Image.merge("LA", [Image.fromarray(FEW), Image.fromarray(clear)]).save(
        tmp_path / "la.tif", compression=compression
    )
    assert stored(tmp_path / "la.tif") == FEW.tolist()
    deep = np.stack([NUMBERS, NUMBERS + 1], -1)
    tifffile.imwrite(tmp_path / "d.tif", deep, extrasamples=["unassalpha"], metadata=None)
    assert stored(tmp_path / "d.tif") == NUMBERS.tolist()


def test_what_a_tiff_cannot_tell_is_refused(tmp_path: Path) -> None:
    colours = np.stack([NUMBERS, NUMBERS + 1, NUMBERS], -1)
    tifffile.imwrite(tmp_path / "c.tif", colours, photometric="rgb", metadata=None)
    assert (
        refusal(tmp_path / "c.tif") == "it is `uint16` of shape (2, 3, 3), and no plane of numbers"
    )
    bands = np.stack([NUMBERS] * 5, -1)
    tifffile.imwrite(
        tmp_path / "b.tif", bands, photometric="minisblack", planarconfig="contig", metadata=None
    )
    assert refusal(tmp_path / "b.tif") == "it has 5 channels, and numbers are in one"
    tifffile.imwrite(tmp_path / "s.tif", np.ones((64, 64), np.uint16), rowsperstrip=1)
    content = (tmp_path / "s.tif").read_bytes()
    (tmp_path / "s.tif").write_bytes(content[:-200])
    assert refusal(tmp_path / "s.tif") == "it is cut short"


# --- PGM and PPM ----------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3, 100, 254, 255, 256, 1000, 10_000, 65_534, 65_535])
def test_every_number_of_a_pgm_comes_back(tmp_path: Path, most: int) -> None:
    """Pillow stretches `most` to 255 or 65535."""
    values = np.arange(most + 1)
    order = ">u1" if most < 256 else ">u2"
    head = f"{most + 1} 1\n{most}\n".encode()
    (tmp_path / "a.pgm").write_bytes(b"P5\n" + head + values.astype(order).tobytes())
    assert (read_values(tmp_path / "a.pgm").values == values).all()
    if most <= 1000:
        (tmp_path / "b.pgm").write_bytes(b"P2\n" + head + " ".join(map(str, values)).encode())
        assert (read_values(tmp_path / "b.pgm").values == values).all()


def test_colours_of_a_ppm(tmp_path: Path) -> None:
    head = b"P6\n2 1\n%d\n"
    (tmp_path / "a.ppm").write_bytes(head % 7 + bytes([0, 1, 2, 7, 6, 5]))
    assert stored(tmp_path / "a.ppm") == [[[0, 1, 2], [7, 6, 5]]]
    (tmp_path / "b.ppm").write_bytes(head % 1000 + bytes(12))
    assert refusal(tmp_path / "b.ppm").startswith("Pillow reads 8 of the 16 bits of a PPM")


# --- formats that change numbers ------------------------------------------------------------------

LOSSY = {
    ".jpg": ("JPEG", "a JPEG, which changes numbers"),
    ".webp": ("WEBP", "a lossy WebP, which changes numbers"),
    ".jp2": ("JPEG2000", "a JPEG 2000, which may have changed numbers"),
    ".avif": ("AVIF", "an AVIF, which may have changed numbers"),
}


@pytest.mark.parametrize("suffix", LOSSY)
def test_what_may_have_changed_numbers_is_refused(tmp_path: Path, suffix: str) -> None:
    name, said = LOSSY[suffix]
    codec = {"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"}.get(name)
    if codec and not features.check(codec):
        pytest.skip(f"this Pillow writes no {name}")
    Image.fromarray(FEW.repeat(16, 0).repeat(16, 1)).save(tmp_path / f"a{suffix}")
    assert refusal(tmp_path / f"a{suffix}") == f"it is {said}: store them as PNG, TIFF or npy"


@pytest.mark.skipif(not features.check("webp"), reason="this Pillow writes no WebP")
def test_a_lossless_webp_is_read_and_a_lossy_one_never(tmp_path: Path) -> None:
    grey = Image.fromarray(FEW * 60)
    grey.save(tmp_path / "a.webp", lossless=True)
    assert stored(tmp_path / "a.webp") == (FEW * 60).tolist()
    clear = Image.fromarray(FEW * 60).convert("RGBA")
    clear.putalpha(9)
    clear.save(tmp_path / "b.webp", quality=50)
    frames = {"save_all": True, "append_images": [grey.convert("RGB").rotate(180)]}
    grey.convert("RGB").save(tmp_path / "c.webp", quality=50, **frames)
    for name in ("b.webp", "c.webp"):
        assert refusal(tmp_path / name).startswith("it is a lossy WebP")


# --- extents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg", "a.tif", "mpo.jpg", "lzw.tif"])
def test_an_extent_is_that_of_the_picture_however_it_is_turned(
    tmp_path: Path, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    more: Any = {"format": "MPO", "save_all": True} if name == "mpo.jpg" else {}
    if name == "mpo.jpg":
        more["append_images"] = [Image.new("RGB", (12, 8))]
    if name == "lzw.tif":
        more["compression"] = "tiff_lzw"
    if name.endswith("webp") and not features.check("webp"):
        pytest.skip("this Pillow writes no WebP")
    Image.new("RGB", (12, 8)).save(tmp_path / name, exif=exif, **more)
    width, height = read_picture(tmp_path / name)[0].size
    assert (height, width) == ((12, 8) if orientation > 4 else (8, 12))
    assert extent_of(tmp_path / name) == (height, width)


def test_a_png_may_say_behind_its_pixels_how_it_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (12, 8)).save(tmp_path / "a.png", exif=exif)
    content = (tmp_path / "a.png").read_bytes()
    start, pixels, end = (content.index(name) - 4 for name in (b"eXIf", b"IDAT", b"IEND"))
    assert start < pixels
    behind = content[:start] + content[pixels:end] + content[start:pixels] + content[end:]
    (tmp_path / "a.png").write_bytes(behind)
    assert (
        extent_of(tmp_path / "a.png") == read_picture(tmp_path / "a.png")[0].size[::-1] == (12, 8)
    )


def test_a_plain_png_is_measured_without_decoding_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (12, 8)).save(tmp_path / "a.png")
    from PIL.PngImagePlugin import PngImageFile

    monkeypatch.setattr(PngImageFile, "load", None)
    assert extent_of(tmp_path / "a.png") == (8, 12)
