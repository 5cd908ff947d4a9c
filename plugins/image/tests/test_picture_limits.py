"""What takes more than is allowed, and what is no picture."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pixels import SPEC, grey, png, refusal

from onlay.errors import DataError
from onlay_image.data.pictures import check_pictures, read_picture
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import reader, resolve
from onlay_image.data.reading import Reading

# --- what takes no more than is allowed -----------------------------------------------------------


def test_a_strip_that_resizing_would_blow_up(tmp_path: Path) -> None:
    """1 x 100,000 pixels, the short side to 64: 64 x 6,400,000."""
    Image.new("L", (1, 100_000)).save(tmp_path / "strip.png")
    spec = SPEC | {"img_size": [64, 64]}
    reading = Reading.of(resolve(ImagePreprocess(), spec))
    for read in (read_picture, lambda path, reading: check_pictures([path], reading)):
        with pytest.raises(DataError) as error:
            read(tmp_path / "strip.png", reading)
        assert str(error.value).endswith(
            "it is 1 x 100000 pixels: resizing its short side would make 409,600,000 pixels of it,"
            " more than `data.preprocess.max_pixels` (89,478,485) allows;"
            " `data.preprocess.resize: squash` reads it"
        )
    squashed = resolve(ImagePreprocess(resize="squash"), spec)
    assert reader(squashed)(tmp_path / "strip.png").shape == (3, 64, 64)


def test_a_png_that_holds_fewer_rows_than_it_promises(tmp_path: Path) -> None:
    """Pillow reads it, and fills the rest with black."""
    path = png(tmp_path / "hollow.png", np.zeros((50, 1), np.uint8), 0, 8)
    content = bytearray(path.read_bytes())
    content[20:24] = struct.pack(">I", 100_000)  # the height, and then the checksum of the header
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    path.write_bytes(content)
    assert Image.open(path).convert("L").getextrema() == (0, 0)
    assert refusal(path) == "its header promises 1 x 100000 pixels, and it holds fewer"


def test_a_png_whose_pixels_were_changed(tmp_path: Path) -> None:
    """Pillow looks at no checksum of theirs, and finds the damage of some files by its decoder."""
    path = tmp_path / "changed.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path, compress_level=0)
    assert read_picture(path)[0].size == (8, 8)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 4 + 7 + 30] ^= 1  # behind the headers of zlib and its block
    path.write_bytes(content)
    assert refusal(path) == "it is damaged: the checksum of its pixels is another"


def test_a_picture_of_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89_478_485)  # raised by who allows more
    Image.new("1", (20_000, 9_000)).save(tmp_path / "large.png")
    allowed = "than `data.preprocess.max_pixels` (89,478,485) allows"
    assert refusal(tmp_path / "large.png") == f"it has more pixels {allowed}"
    Image.new("1", (10_000, 9_000)).save(tmp_path / "large.png")
    assert refusal(tmp_path / "large.png") == f"it is 10000 x 9000 pixels, more {allowed}"
    assert refusal(np.zeros((20, 20), np.uint8), max_pixels=399).startswith("it is 20 x 20 pixels")
    assert "20 x 20 pixels of 13 bands" in refusal(
        np.zeros((20, 20, 13), np.uint8), max_pixels=1599, in_chans=13
    )
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 20), np.uint16))
    assert refusal(tmp_path / "a.tif", max_pixels=399).startswith("it is 20 x 20 pixels")


def test_more_pixels_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond twice Pillow's own limit, which otherwise refuses."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("L", (20, 20), 7).save(tmp_path / "a.png")
    assert grey(tmp_path / "a.png", max_pixels=400) == [7] * 400


# --- what is no picture ---------------------------------------------------------------------------


def test_no_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    assert refusal(tmp_path / "objects.npy") == "it holds Python objects, which are no grey values"
    np.save(tmp_path / "row.npy", np.zeros(5))
    assert refusal(tmp_path / "row.npy") == "it is an array of shape (5,), which is no picture"
    assert "`complex128`" in refusal(np.zeros((2, 2), complex))
    assert "`<U1`" in refusal(np.array([["a"]]))
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(40))
    refusal(tmp_path / "a.tif")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\1\0")
    refusal(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\1\0\6\0{'a\0(\n")
    assert refusal(tmp_path / "a.npy")
    assert refusal(np.zeros((0, 4), np.uint8)).startswith("it is 4 x 0 pixels")
    (tmp_path / "eps.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    assert refusal(tmp_path / "eps.jpg") == "it is no image, or of an unknown format"


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_torn_deep_picture(share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (64, 64, 3), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", noise, photometric="rgb")
    tifffile.imwrite(tmp_path / "z.tif", noise, photometric="rgb", compression="zlib")
    tifffile.imwrite(tmp_path / "t.tif", noise, photometric="rgb", tile=(16, 16))
    Image.fromarray(noise[..., 0]).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    Image.fromarray(noise[..., 0]).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", noise)
    for path in tmp_path.iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError):
            check_pictures([path])


def test_compressions_that_need_more(tmp_path: Path) -> None:
    colour = np.zeros((2, 2, 3), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb", compression="zlib")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    place = data.index(struct.pack("<HHI", 259, 3, 1)) + 8
    data[place : place + 2] = struct.pack("<H", 34887)  # LERC
    (tmp_path / "a.tif").write_bytes(data)
    said = refusal(tmp_path / "a.tif")
    assert "onlay-image[tiff]" in said or "LERC" in said


def test_a_decoders_warning_is_a_sentence_for_the_first_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """EXIF that promises 96 entries and holds 2: Pillow warns, and still knows the second."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A maker of cameras", 6
    Image.new("RGB", (4, 2)).save(tmp_path / "a.jpg", exif=exif)
    content = (tmp_path / "a.jpg").read_bytes()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(
            content.replace(b"MM\0*\0\0\0\x08\0\x02", b"MM\0*\0\0\0\x08\0\x60")
        )
    monkeypatch.setattr("onlay_image.data.warned._first", [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sizes = [read_picture(tmp_path / name)[0].size for name in ("a.jpg", "b.jpg")]
    assert sizes == [(2, 4), (2, 4)]
    (record,) = caplog.records
    assert record.getMessage().startswith(f"`{tmp_path / 'a.jpg'}` is read, but something in it")
