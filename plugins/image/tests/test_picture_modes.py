"""Bytes, deep greys and windows, for every mode of Pillow, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pixels import GREYS, HALF, RAMP, RED, grey, numbers, refusal

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
