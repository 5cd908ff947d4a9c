"""Deep colours, bands and transparency, by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pixels import GREYS, RAMP, RED, grey, numbers, png, refusal

from onlay.errors import DataError
from onlay_image.data.pictures import check_pictures
from onlay_image.data.reading import Reading

# --- colours --------------------------------------------------------------------------------------


def test_sixteen_bits_in_colour(tmp_path: Path) -> None:
    """TIFF whole; of PNG and PPM Pillow keeps the higher byte, and the whole of 8 bits' range."""
    colour = np.stack([RAMP, RAMP[::-1], RAMP], -1)
    expected = [GREYS, [1, 128, 0, 255], GREYS]
    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb")
    assert numbers(tmp_path / "a.tif") == [pytest.approx(plane) for plane in expected]
    path = png(tmp_path / "a.png", colour.astype(">u2"), 2, 16)
    assert numbers(path) == expected
    assert refusal(path, value_range=(0, 4095)).startswith("Pillow reads 8 of the 16 bits")
    (tmp_path / "a.ppm").write_bytes(b"P6\n2 2\n65535\n" + colour.astype(">u2").tobytes())
    assert numbers(tmp_path / "a.ppm") == expected


def test_luminance_for_a_backbone_of_one_channel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (255, 0, 0)).save(tmp_path / "a.png")
    assert numbers(tmp_path / "a.png", in_chans=1) == [[76]]
    tifffile.imwrite(tmp_path / "a.tif", np.uint16([[[65535, 0, 0]]]), photometric="rgb")
    assert numbers(tmp_path / "a.tif", in_chans=1) == [pytest.approx([76.245])]
    Image.new("L", (1, 1), 76).save(tmp_path / "l.png")
    assert numbers(tmp_path / "l.png", in_chans=1) == [[76]]


@pytest.mark.parametrize("count", [2, 4, 13])
def test_many_bands(count: int, tmp_path: Path) -> None:
    bands = np.arange(count * 30, dtype=np.uint16).astype(np.uint8).reshape(count, 5, 6)
    whole = {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(bands, 0, -1), planarconfig="contig", **whole)
    tifffile.imwrite(tmp_path / "b.tif", bands, planarconfig="separate", **whole)
    tifffile.imwrite(tmp_path / "pages.tif", bands, **whole)
    np.save(tmp_path / "first.npy", bands)
    np.save(tmp_path / "last.npy", np.moveaxis(bands, 0, -1))
    for path in tmp_path.iterdir():
        assert numbers(path, in_chans=count) == bands.reshape(count, 30).tolist(), path
    assert refusal(tmp_path / "a.tif") == (
        f"it has {count} channels, and the backbone takes 3: set the backbone's `in_chans` to"
        f" {count}, or give pictures of 3"
    )
    assert "the backbone takes 1" in refusal(tmp_path / "last.npy", in_chans=1)


def test_deep_bands(tmp_path: Path) -> None:
    deep = np.stack([RAMP, RAMP[::-1], RAMP.T, RAMP], -1)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    assert numbers(tmp_path / "a.tif", in_chans=4)[2] == pytest.approx([0, 1, 255, 128])


def test_four_channels_of_a_png_and_three_of_a_jpeg(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (1, 2, 3, 4)).save(tmp_path / "a.png")
    assert numbers(tmp_path / "a.png", in_chans=4) == [[1], [2], [3], [4]]
    Image.new("RGB", (1, 1)).save(tmp_path / "a.jpg")
    assert "it has 3 channels, and the backbone takes 4" in refusal(tmp_path / "a.jpg", in_chans=4)
    Image.new("L", (1, 1)).save(tmp_path / "l.jpg")
    assert "it has 1 channel, and the backbone takes 4" in refusal(tmp_path / "l.jpg", in_chans=4)
    with pytest.raises(DataError, match="takes 4"):
        check_pictures([tmp_path / "a.jpg"], Reading(in_chans=4))


def test_what_follows_red_green_and_blue_is_no_colour(tmp_path: Path) -> None:
    pixel = np.uint8([[[9, 8, 7, 6]]])
    tifffile.imwrite(tmp_path / "a.tif", pixel, photometric="rgb", extrasamples=["unspecified"])
    assert numbers(tmp_path / "a.tif") == [[9], [8], [7]]
    assert numbers(tmp_path / "a.tif", in_chans=4) == [[9], [8], [7], [6]]


# --- transparency ---------------------------------------------------------------------------------


def test_files_that_look_alike_are_alike(tmp_path: Path) -> None:
    """Red beside nothing: as opacity, as a transparent colour, in a palette, multiplied."""
    straight = Image.new("RGBA", (2, 1), (0, 255, 0, 0))
    straight.putpixel((0, 0), (*RED, 255))
    straight.save(tmp_path / "rgba.png")
    straight.save(tmp_path / "rgba.webp", lossless=True)
    straight.save(tmp_path / "rgba.tif")
    keyed = straight.convert("RGB")
    keyed.save(tmp_path / "rgb.png", transparency=(0, 255, 0))
    keyed.quantize(2).save(tmp_path / "opaque.png")
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, 0, 255, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=1)
    palette.save(tmp_path / "p.gif", transparency=1)
    palette.save(tmp_path / "bytes.png", transparency=bytes([255, 0]))
    deep = np.uint16([[[200 * 257, 0, 0, 65535], [0, 65535, 0, 0]]])
    tifffile.imwrite(tmp_path / "16.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    deep[0, 1] = 0
    tifffile.imwrite(tmp_path / "pre.tif", deep, photometric="rgb", extrasamples=["assocalpha"])
    (tmp_path / "opaque.png").unlink()
    for path in tmp_path.iterdir():
        assert numbers(path) == [[200, 255], [0, 255], [0, 255]], path
        assert numbers(path, background="black") == [[200, 0], [0, 0], [0, 0]], path
        assert numbers(path, background=(1, 2, 3)) == [
            pytest.approx([200, 1]), pytest.approx([0, 2]), pytest.approx([0, 3]),
        ], path  # fmt: skip
        assert numbers(path, in_chans=1)[0] == pytest.approx([60, 255], abs=0.3)


def test_a_transparent_grey(tmp_path: Path) -> None:
    deep = RAMP.astype(">u2")
    path = png(tmp_path / "16.png", deep, 0, 16, struct.pack(">H", 257))
    assert grey(path) == pytest.approx([0, 255, 255, 128])
    assert grey(path, value_range=(0, 32896)) == pytest.approx([0, 255, 255, 255])
    eight = png(tmp_path / "8.png", np.uint8([[0, 9]]), 0, 8, struct.pack(">H", 0))
    assert grey(eight) == [255, 9]
    two = png(tmp_path / "2.png", np.uint8([[0b00011011]]), 0, 2, struct.pack(">H", 1))
    assert grey(two) == [0, 255, 170, 255], "0, 85, 170, 255, of which 85 is transparent"
    one = png(tmp_path / "1.png", np.uint8([[0b01010101]]), 0, 1, struct.pack(">H", 0))
    assert grey(one) == [255] * 8
    colour = np.uint16([[[0x0102, 3, 4], [5, 6, 7]]]).astype(">u2")
    path = png(tmp_path / "rgb.png", colour, 2, 16, struct.pack(">HHH", 0x0102, 3, 4))
    assert numbers(path) == [[255, 0]] * 3


def test_deep_half_opaque_colours(tmp_path: Path) -> None:
    """A quarter of opacity: 0.8 * 0.25 + 1 * 0.75 = 0.95, and multiplied already 0.2 + 0.75."""
    for kind, value in (("unassalpha", 0.8), ("assocalpha", 0.2)):
        pixel = np.float32([[[value, value, value, 0.25]]])
        tifffile.imwrite(tmp_path / "a.tif", pixel, photometric="rgb", extrasamples=[kind])
        assert grey(tmp_path / "a.tif") == pytest.approx([0.95 * 255])
