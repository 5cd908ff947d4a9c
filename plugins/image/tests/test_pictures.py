"""What the pixels of a file become, for every mode of Pillow and every kind of file, by hand."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from onlay.errors import DataError
from onlay_image.data.pictures import check_pictures, read_picture
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import reader, resolve
from onlay_image.data.reading import Reading

SPEC = {
    "img_size": [2, 2],
    "dynamic_img_size": False,
    "resize": "crop",
    "crop_pct": 1.0,
    "interpolation": "bicubic",
    "mean": [0.0],
    "std": [1.0],
}
RAMP = np.array([[0, 65535], [257, 32896]], np.uint16)
"""0, 255, 1 and 128 on the scale of bytes."""
GREYS = [0, 255, 1, 128]


def numbers(source: Any, **reading: Any) -> list[list[float]]:
    """The values of each channel, row by row."""
    layers = read_picture(source, Reading(**reading))
    planes = [plane for layer in layers for plane in np.moveaxis(np.atleast_3d(layer), -1, 0)]
    return [plane.ravel().tolist() for plane in planes]


def grey(source: Any, **reading: Any) -> list[float]:
    """The values of a picture in which red, green and blue are equal."""
    red, green, blue = numbers(source, **reading)
    assert red == green == blue
    return red


def refusal(source: Any, **reading: Any) -> str:
    with pytest.raises(DataError) as error:
        read_picture(source, Reading(**reading))
    said = str(error.value)
    name = "an array" if isinstance(source, np.ndarray) else f"`{source}`"
    assert said.startswith(f"{name} cannot be read as an image: ")
    assert "\n" not in said
    return said.partition("image: ")[2]


def png(path: Path, values: np.ndarray, colour: int, depth: int, clear: bytes = b"") -> Path:
    """PNG as its specification has it: Pillow writes no 16 bits in colour, nor 2 bits in grey."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = b"".join(b"\0" + row.tobytes() for row in values)
    height, width = values.shape[:2]
    if depth < 8:
        width = 8 // depth * width
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"tRNS", clear) if clear else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


# --- every mode of Pillow -------------------------------------------------------------------------

RED, HALF = (200, 0, 0), (227, 127, 127)
"""Red, and red of half opacity on white: 200 * 128 / 255 + 255 * 127 / 255."""

MODES: dict[str, tuple[Any, tuple[int, int, int]]] = {
    "1": (255, (255, 255, 255)),
    "L": (77, (77, 77, 77)),
    "P": (1, (10, 20, 30)),
    "RGB": (RED, RED),
    "RGBX": ((*RED, 9), RED),
    "RGBA": ((*RED, 128), HALF),
    "RGBa": ((100, 0, 0, 128), HALF),
    "LA": ((200, 128), (227, 227, 227)),
    "La": ((100, 128), (226, 226, 226)),
    "PA": ((1, 128), (132, 137, 142)),
    "CMYK": ((255, 0, 0, 0), (0, 255, 255)),
    "YCbCr": ((76, 85, 255), (254, 0, 0)),
    "LAB": ((255, 128, 128), (255, 255, 255)),
    "HSV": ((0, 255, 200), RED),
}
"""One pixel, and its red, green and blue."""


@pytest.mark.parametrize("mode", MODES)
def test_bytes_of_every_mode(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixel, shown = MODES[mode]
    picture = Image.new(mode, (2, 2))
    if mode in ("P", "PA"):
        picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.paste(pixel, (0, 0, 2, 2)) if mode != "La" else picture.putdata([pixel] * 4)
    monkeypatch.setattr(Image, "open", lambda *_, **__: picture.copy())
    (tmp_path / "x").touch()
    assert numbers(tmp_path / "x") == [pytest.approx([v] * 4, abs=1.01) for v in shown]


def test_every_mode_of_pillow_is_tried() -> None:
    deep = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
    assert set(Image.MODES) == {*MODES, *deep}


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I;16N"])
def test_sixteen_bits_of_every_order(mode: str, monkeypatch: Any, tmp_path: Path) -> None:
    order = ">u2" if mode == "I;16B" else "<u2"
    picture = Image.frombytes(mode, (2, 2), RAMP.astype(order).tobytes())
    monkeypatch.setattr(Image, "open", lambda *_, **__: picture.copy())
    (tmp_path / "x").touch()
    assert grey(tmp_path / "x") == pytest.approx(GREYS)


# --- deep greys -----------------------------------------------------------------------------------


def test_sixteen_bits_in_every_format(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    Image.fromarray(RAMP).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    tifffile.imwrite(tmp_path / "little.tif", RAMP)
    tifffile.imwrite(tmp_path / "big.TIFF", RAMP, byteorder=">", compression="zlib")
    tifffile.imwrite(tmp_path / "white.tif", 65535 - RAMP, photometric="miniswhite")
    (tmp_path / "a.pgm").write_bytes(b"P5\n2 2\n65535\n" + RAMP.astype(">u2").tobytes())
    np.save(tmp_path / "a.npy", RAMP)
    for path in tmp_path.iterdir():
        assert grey(path) == pytest.approx(GREYS), path


def test_twelve_bits_and_their_range(tmp_path: Path) -> None:
    twelve = np.array([[0, 4095], [1365, 2730]], np.uint16)
    (tmp_path / "a.pgm").write_bytes(b"P5\n2 2\n4095\n" + twelve.astype(">u2").tobytes())
    assert grey(tmp_path / "a.pgm") == pytest.approx([0, 255, 85, 170], abs=0.01)
    tifffile.imwrite(tmp_path / "a.tif", twelve)
    assert grey(tmp_path / "a.tif", value_range=(0, 4095)) == pytest.approx([0, 255, 85, 170])
    assert grey(tmp_path / "a.tif")[1] == pytest.approx(255 * 4095 / 65535)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int8", [-128, 127, -77, 76]),
        ("int16", [-32768, 32767, -19661, 19660]),
        ("int32", [-(2**31), 2**31 - 1, -1288490189, 1288490188]),
        ("uint32", [0, 2**32 - 1, 858993459, 3435973836]),
        ("float16", [0, 1, 0.2, 0.8]),
        ("float32", [0, 1, 0.2, 0.8]),
        ("float64", [0, 1, 0.2, 0.8]),
    ],
)
@pytest.mark.parametrize("ending", ["tif", "npy"])
def test_all_that_a_type_can_hold(dtype: str, values: list, ending: str, tmp_path: Path) -> None:
    array = np.array(values).astype(dtype).reshape(2, 2)
    path = tmp_path / f"a.{ending}"
    (tifffile.imwrite if ending == "tif" else np.save)(path, array)
    assert grey(path) == pytest.approx([0, 255, 51, 204], abs=0.05)


def test_floats_of_a_portable_map(tmp_path: Path) -> None:
    """Rows from the bottom."""
    rows = np.array([[0.2, 0.8], [0, 1]], "<f4")
    (tmp_path / "a.pfm").write_bytes(b"Pf\n2 2\n-1.0\n" + rows.tobytes())
    assert grey(tmp_path / "a.pfm") == pytest.approx([0, 255, 51, 204])


def test_white_is_zero_of_floats_and_of_few_bits(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "f.tif", np.float32([[0, 1], [0.2, 0.8]]), photometric="miniswhite")
    assert grey(tmp_path / "f.tif") == pytest.approx([255, 0, 204, 51])
    tifffile.imwrite(tmp_path / "b.tif", np.uint8([[0, 255], [51, 204]]), photometric="miniswhite")
    assert grey(tmp_path / "b.tif") == [255, 0, 204, 51]
    tifffile.imwrite(tmp_path / "1.tif", np.array([[True, False]]), photometric="miniswhite")
    assert grey(tmp_path / "1.tif") == [0, 255]


# --- windows --------------------------------------------------------------------------------------


def test_a_window_of_values(tmp_path: Path) -> None:
    """-160 and what is below is black, 240 and what is above is white."""
    np.save(tmp_path / "ct.npy", np.int16([[-1000, -160], [40, 3000]]))
    assert grey(tmp_path / "ct.npy", value_range=(-160, 240)) == pytest.approx([0, 0, 127.5, 255])


def test_percentiles_of_each_picture() -> None:
    """Of 0, 10, ..., 100 the 10th is 10 and the 90th is 90."""
    values = np.arange(0, 110, 10, dtype=np.int32)[None]
    shown = grey(values, percentile=(10, 90))
    assert shown == pytest.approx([0, *np.arange(0, 255.1, 255 / 8), 255])
    assert grey(np.full((1, 2), 7, np.int32), percentile=(10, 90)) == [0, 0]


def test_a_window_of_bytes_and_in_colour(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (50, 100, 200)).save(tmp_path / "a.png")
    assert numbers(tmp_path / "a.png", value_range=(50, 150)) == [[0], [127.5], [255]]
    assert numbers(tmp_path / "a.png", value_range=(50, 150), in_chans=1)[0] == pytest.approx(
        [0.587 * 127.5 + 0.114 * 255]
    )


def test_values_that_say_nothing_of_their_range(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.float32([[0, 300]]))
    assert refusal(tmp_path / "a.tif") == (
        "it holds `float32` from 0 to 300, where 0 would be black and 1 white; say by"
        " `data.preprocess.value_range: [LOW, HIGH]` which are"
    )
    assert "`int32` from 0 to 255, where -2.14748e+09" in refusal(np.int32([[0, 255]]))
    assert "`int64` from 0 to 255" in refusal(np.array([[0, 255]]))
    assert grey(np.array([[0, 255]]), value_range=(0, 255)) == [0, 255]


def test_holes_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.float32([[0.5, np.nan], [np.inf, 0]]))
    said = "2 of its 4 values are NaN or infinite"
    assert refusal(tmp_path / "a.tif") == said
    assert refusal(tmp_path / "a.tif", percentile=(1, 99)) == said


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


# --- frames, orientation, profiles ----------------------------------------------------------------


def test_one_frame_of_several(tmp_path: Path) -> None:
    frames = [Image.new("L", (1, 1), grey) for grey in (0, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with tifffile.TiffWriter(tmp_path / "a.tif") as stack:
        for value in (0, 25700, 51400):
            stack.write(np.uint16([[value]]))
    for path in tmp_path.iterdir():
        assert [grey(path, frame=n)[0] for n in range(3)] == pytest.approx([0, 100, 200])
        assert grey(path) == [0]
        assert refusal(path, frame=3) == "it has 3 frames, and no frame 3"
    frames[0].save(tmp_path / "a.png")
    with pytest.raises(DataError, match="it has 1 frame, and no frame 1"):
        check_pictures([tmp_path / "a.png"], Reading(frame=1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_stand_upright(orientation: int, tmp_path: Path) -> None:
    """As Pillow turns the same picture of 8 bits."""
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "8.tif", stored, extratags=tags)
    tifffile.imwrite(tmp_path / "16.tif", stored.astype(np.uint16) * 257, extratags=tags)
    Image.fromarray(stored).save(
        tmp_path / "lzw.tif", tiffinfo={274: orientation}, compression="tiff_lzw"
    )
    deep = Image.fromarray(stored.astype(np.uint16) * 257)
    deep.save(tmp_path / "16lzw.tif", tiffinfo={274: orientation}, compression="tiff_lzw")
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "8.png", exif=exif)
    for path in tmp_path.iterdir():
        assert read_picture(path)[0].size == ((3, 2) if orientation < 5 else (2, 3))
        assert grey(path) == pytest.approx(grey(tmp_path / "8.png")), path


def test_colour_profiles_change_nothing(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    Image.new("RGB", (1, 1), RED).save(tmp_path / "a.png", icc_profile=profile)
    assert numbers(tmp_path / "a.png") == [[200], [0], [0]]


# --- from a file to a tensor ----------------------------------------------------------------------


def test_floats_are_resized_as_bytes_are(tmp_path: Path) -> None:
    """Within the rounding of bytes, and no brighter than white."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 13), np.uint8)
    Image.fromarray(noise).save(tmp_path / "8.png")
    Image.fromarray(noise.astype(np.uint16) * 257).save(tmp_path / "16.png")
    read = reader(resolve(ImagePreprocess(), SPEC | {"img_size": [6, 6]}))
    eight, deep = read(tmp_path / "8.png"), read(tmp_path / "16.png")
    torch.testing.assert_close(eight, deep, atol=1.01 / 255, rtol=0)
    assert deep.min() >= 0
    assert deep.max() <= 1


def test_channels_have_statistics_of_their_own() -> None:
    spec = SPEC | {"mean": [0.1, 0.2, 0.3], "std": [1.0, 2.0, 3.0]}
    made = resolve(ImagePreprocess(), spec | {"in_chans": 4})
    assert (made["mean"], made["std"]) == ([0.1, 0.2, 0.3, 0.1], [1, 2, 3, 1])
    made = resolve(ImagePreprocess(mean=(0.5, 0.6)), spec | {"in_chans": 2})
    assert (made["mean"], made["std"]) == ([0.5, 0.6], [1, 2])
    with pytest.raises(ValueError, match="has 2 numbers, and the backbone takes 3 channels"):
        resolve(ImagePreprocess(mean=(0.5, 0.6)), spec)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value_range": (1, 1)}, r"`value_range` is \[low, high\], and 1 is not below 1"),
        ({"percentile": (99, 1)}, r"`percentile` is \[low, high\], and 99 is not below 1"),
        ({"percentile": (1, 99), "value_range": (0, 1)}, "exclude each other"),
    ],
)
def test_windows_that_are_none(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ImagePreprocess(**fields)


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


def test_a_picture_of_too_many_pixels(tmp_path: Path) -> None:
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
