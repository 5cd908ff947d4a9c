"""What a mask stores is read as classes, whatever kind of file it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures_and_masks import mask
from PIL import Image
from pydantic import ValidationError

from onlay.data import EachTarget
from onlay.errors import DataError
from onlay.tasks.class_maps import VOID
from onlay.tasks.constants import places_of
from onlay_dense.data.config import MaskFolderConfig
from onlay_dense.data.masks import Masks, read_classes
from onlay_dense.data.meaning import table_of
from onlay_image.data.values import extent_of, read_values

STORED = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
NAMES = ("sky", "road", "tree")
COLOURS = {"sky": (9, 9, 9), "road": (255, 0, 0), "tree": (0, 0, 255)}


def config(**given: Any) -> MaskFolderConfig:
    return MaskFolderConfig(path=Path(), **given)


def classes(path: Path, **given: Any) -> list[list[int]]:
    return read_classes(path, table_of(config(**given))).tolist()


@pytest.mark.parametrize("name", ["m.png", "m.bmp", "m.tif", "m.npy"])
def test_grey_values_are_classes(tmp_path: Path, name: str) -> None:
    assert classes(mask(tmp_path / name, STORED), labels=NAMES) == STORED.tolist()


def test_indices_of_a_palette_are_classes_and_its_colours_are_not(tmp_path: Path) -> None:
    """A palette that gives class 0 the grey of 2, and class 2 red."""
    file = mask(tmp_path / "m.png", STORED, [2, 2, 2, 0, 0, 0, 255, 0, 0])
    assert Image.open(file).mode == "P"
    assert classes(file, labels=NAMES) == STORED.tolist()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits_holds_its_numbers_and_not_their_shades(tmp_path: Path, bits: int) -> None:
    """Pillow writes such indices, and reads such greys, stretched to 255; the header is changed
    from one to the other."""
    values = STORED % 2 if bits == 1 else STORED
    indexed = mask(tmp_path / "p.png", values, [0] * 9)
    Image.open(indexed).save(indexed, bits=bits)
    grey = tmp_path / "g.png"
    grey.write_bytes(as_grey(indexed.read_bytes()))
    assert classes(indexed, labels=NAMES) == classes(grey, labels=NAMES) == values.tolist()


def as_grey(png: bytes) -> bytes:
    """Colour type 0 in the header, without the palette."""
    import zlib

    head = bytearray(png[8:33])
    head[17] = 0
    head[21:] = zlib.crc32(bytes(head[4:21])).to_bytes(4, "big")
    start = png.index(b"PLTE") - 4
    end = start + 12 + int.from_bytes(png[start : start + 4], "big")
    return png[:8] + bytes(head) + png[33:start] + png[end:]


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.npy"])
def test_sixteen_bits_are_kept_and_any_other_number_is_the_rest(tmp_path: Path, name: str) -> None:
    file = mask(tmp_path / name, np.array([[0, 300, 65535]], np.uint16))
    assert classes(file, values={0: "background", "rest": "nucleus"}) == [[0, 1, 1]]
    assert classes(file, values={300: "a", 0: "b", 65535: "b"}) == [[1, 0, 1]]


def test_any_number_may_be_the_one_class_that_there_is(tmp_path: Path) -> None:
    file = mask(tmp_path / "m.png", np.array([[0, 7, 300]], np.uint16))
    assert classes(file, values={"rest": "x"}) == [[0, 0, 0]]
    assert classes(file, values={4_294_967_295: "far", "rest": "x"}) == [[1, 1, 1]]


@pytest.mark.parametrize("strange", [np.inf, np.nan])
@pytest.mark.filterwarnings("error")
def test_what_is_no_number_is_no_class(tmp_path: Path, strange: float) -> None:
    file = mask(tmp_path / "m.npy", np.array([[0, strange]]))
    with pytest.raises(DataError, match="holds `float64` that are no whole numbers"):
        classes(file, values={0: "a", "rest": "b"})


def test_what_is_stored_is_of_one_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the colour \[9, 0, 0\] is of two classes, `a` and `b`"):
        table_of(config(colours={"a": (9, 0, 0), "b": (9, 0, 0)}))
    (told := tmp_path / "classes.csv").write_text("value,name\n1,sky\n1,road\n")
    with pytest.raises(DataError, match="the number 1 is of two classes, `sky` and `road`"):
        table_of(config(classes=told))
    told.write_text("value,name\n1,sky\n1,sky\n2,road\n")
    assert table_of(config(classes=told)).labels == ("sky", "road")
    told.write_text("value,name\n1,sky\n1_0,road\n")
    with pytest.raises(DataError, match=r"line 3 of `.*` does not have whole numbers there"):
        table_of(config(classes=told))


def test_void_is_no_class_by_number_and_by_name(tmp_path: Path) -> None:
    file = mask(tmp_path / "m.png", np.array([[0, 7, 255]], np.uint8))
    values = {0: "sky", 7: "unlabelled", 255: "tree"}
    assert classes(file, values=values, void=["unlabelled"]) == [[0, VOID, 1]]
    assert classes(file, values={0: "sky", 255: "tree"}, void=[7]) == [[0, VOID, 1]]
    assert table_of(config(values=values, void=["unlabelled"])).labels == ("sky", "tree")


def test_labels_say_the_order_of_classes_with_values(tmp_path: Path) -> None:
    file = mask(tmp_path / "m.png", np.array([[0, 5]], np.uint8))
    assert classes(file, values={0: "b", 5: "a"}, labels=("a", "b")) == [[1, 0]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "npy"])
def test_colours_are_classes_where_a_table_says_so(tmp_path: Path, mode: str) -> None:
    pixels = np.array([list(COLOURS.values())], np.uint8)
    if mode == "npy":
        file = mask(tmp_path / "m.npy", pixels)
    else:
        adaptive = Image.Palette.ADAPTIVE
        made = Image.fromarray(pixels).convert(mode, palette=adaptive)
        made.save(file := tmp_path / "m.png")
    assert classes(file, colours=COLOURS) == [[0, 1, 2]]


def test_colours_that_are_all_grey_are_numbers(tmp_path: Path) -> None:
    file = mask(tmp_path / "m.png", STORED[..., None].repeat(3, -1))
    assert classes(file, labels=NAMES) == STORED.tolist()


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("sky\nroad\ntree\n", STORED),
        ("value,name\n10,sky\n20,road\n30,tree\n", STORED * 10 + 10),
        ("name,r,g,b\nsky,0,0,9\nroad,0,1,0\ntree,2,0,0\n", None),
    ],
)
def test_a_file_says_what_is_stored(tmp_path: Path, text: str, stored: np.ndarray | None) -> None:
    (told := tmp_path / "classes.csv").write_text(text)
    if stored is None:
        stored = np.array([[0, 0, 9], [0, 1, 0], [2, 0, 0]], np.uint8)[STORED]
    file = mask(tmp_path / "m.png", stored)
    assert classes(file, classes=told) == STORED.tolist()


@pytest.mark.parametrize(
    ("values", "given", "said"),
    [
        ([[0, 0], [0, 7]], {"labels": NAMES}, r"value 7 \(row 1, column 1\), which is no class"),
        ([[[0, 0, 0], [9, 0, 0]]], {"labels": NAMES}, r"mask in colours \(row 0, column 1 is \[9"),
        ([[[9, 9, 9], [9, 0, 0]]], {"colours": COLOURS}, r"the colour \[9, 0, 0\] \(row 0, col"),
    ],
)
def test_what_is_no_class_is_named_with_its_place(
    tmp_path: Path, values: Any, given: Any, said: str
) -> None:
    file = mask(tmp_path / "m.png", np.array(values, np.uint8))
    with pytest.raises(DataError, match=rf"m\.png` .*{said}"):
        classes(file, **given)


def test_a_mask_that_jpeg_has_changed_is_told_so(tmp_path: Path) -> None:
    file = mask(tmp_path / "m.jpg", STORED.repeat(5, 0).repeat(5, 1) * 100)
    with pytest.raises(DataError, match="it is a JPEG, which changes numbers: store them as PNG"):
        classes(file, values={0: "sky", 100: "road", 200: "tree"})


@pytest.mark.parametrize(
    "values", [np.array([[0.5]]), np.zeros((2, 2, 4)), np.array([["a"]]), np.zeros(3)]
)
def test_arrays_that_hold_no_classes_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    file = mask(tmp_path / "m.npy", values)
    with pytest.raises(DataError, match=r"m\.npy` (holds|cannot be read)"):
        classes(file, labels=NAMES)


def test_what_masks_hold_must_be_told_once() -> None:
    with pytest.raises(ValidationError, match="what masks hold is not told"):
        config()
    with pytest.raises(ValidationError, match="`values` and `colours` both say"):
        config(values={0: "a"}, colours=COLOURS)
    with pytest.raises(DataError, match=r"`data\.void` names `c`, and the classes are `a`"):
        table_of(config(values={0: "a"}, void=["c"]))


def test_pixels_of_each_class_are_counted_without_void(tmp_path: Path) -> None:
    files = [mask(tmp_path / f"{n}.png", STORED + n) for n in range(2)]
    masks = Masks(files, table_of(config(labels=NAMES, void=[3])))
    part = type("Part", (), {"targets": masks.taken([1, 0])})
    assert places_of(EachTarget(part), 3).tolist() == [2, 4, 4]
    assert masks[1].dtype == torch.int16


def test_a_photograph_that_is_turned_has_the_size_that_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    for name in ("a.jpg", "a.png"):
        Image.new("RGB", (12, 8)).save(tmp_path / name, exif=exif)
    assert extent_of(tmp_path / "a.jpg") == (12, 8)
    assert read_values(tmp_path / "a.png").values.shape == (12, 8)


@pytest.mark.parametrize(("name", "given"), [("a.jpg", {}), ("a.tif", {"compression": "jpeg"})])
def test_numbers_in_a_jpeg_are_refused(name: str, given: dict[str, str], tmp_path: Path) -> None:
    """Also where all of them are classes: at edges they may be those of another class."""
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / name, **given)
    with pytest.raises(DataError, match="it is a JPEG, which changes numbers"):
        read_values(tmp_path / name)
