"""Data sets with objects: what a folder of maps and COCO's files give, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objects_on_disk import HOST, maps, read
from PIL import Image

from onlay.config import parse
from onlay.errors import ConfigError, DataError
from onlay.testing import dataset_checks
from onlay_dense.data.objects_samples import coco, instance_folder, numbered
from onlay_dense.data.samples import paint
from onlay_image.data.samples import draw


@dataset_checks("instance_folder")
def test_instance_folder_keeps_the_contract(check):
    check()


@dataset_checks("coco")
def test_coco_keeps_the_contract(check):
    pytest.importorskip("faster_coco_eval")
    check()


def test_a_map_of_objects_gives_boxes_labels_and_masks_of_the_size_of_the_input(tmp_path):
    splits = read("instance_folder", maps(tmp_path, numbered(0), labels=["cell"]))
    _, target = splits.train[0]
    assert splits.targets == "objects"
    assert splits.labels == ("cell",)
    values = np.kron(numbered(0), np.ones((2, 2)))  # 10 x 14 pixels become 20 x 28
    for box, mask, number in zip(target["boxes"], target["masks"], (7, 300), strict=True):
        rows, columns = np.nonzero(values == number)
        assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert (mask.numpy() == (values == number)).all()
    assert target["labels"].tolist() == [0, 0]


def test_numbers_tell_classes_by_a_divisor(tmp_path):
    values = np.zeros((10, 14), np.uint16)
    values[:3], values[4:6], values[7:, :5], values[9, 9] = 24001, 26007, 24002, 7
    settings = {"divisor": 1000, "values": {24: "person", 26: "car"}, "void": [0]}
    splits = read("instance_folder", maps(tmp_path, values, **settings))
    assert splits.labels == ("person", "car")
    assert splits.train[0][1]["labels"].tolist() == [0, 0, 1]
    other = read("instance_folder", settings | {"path": tmp_path}, "whole", ("car", "person"))
    assert other.everything[0][1]["labels"].tolist() == [1, 1, 0]
    with pytest.raises(DataError, match=r"the number 26007, of class 26 by a `data.divisor`"):
        read("instance_folder", maps(tmp_path, values, divisor=1000, values={24: "a"}, void=[0]))


def test_chance_moves_boxes_and_masks_alike_and_drops_what_vanishes(tmp_path):
    more = {"preprocess": {"augment": "random_resized_crop"}}
    splits = read("instance_folder", maps(tmp_path, numbered(0)) | more)
    counts = set()
    for seed in range(30):
        torch.manual_seed(seed)
        _, target = splits.train[0]
        counts.add(len(target["boxes"]))
        assert len(target["labels"]) == len(target["masks"]) == len(target["boxes"])
        for box, mask in zip(target["boxes"], target["masks"], strict=True):
            rows, columns = mask.nonzero(as_tuple=True)
            near = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert (box - torch.tensor(near)).abs().max() <= 1  # objects here are boxes
    assert counts >= {1, 2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: paint(f / "instances/1.png", np.zeros((9, 14), np.uint16)), "9 rows and 14"),
        (lambda f: (f / "instances/1.png").unlink(), "one image has no instance"),
        (lambda f: (f / "images/1.png").unlink(), "one instance has no image"),
        (lambda f: draw(f / "instances/1.png", 0), "holds colours, and objects are told apart"),
        (lambda f: np.save(f / "instances/1.npy", np.zeros((10, 14)) - 1), "have one stem"),
    ],
)
def test_maps_that_do_not_fit_are_refused(tmp_path, change, said):
    settings = maps(tmp_path, numbered(0))
    change(tmp_path)
    with pytest.raises(DataError, match=said) as error:
        read("instance_folder", settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labels": ["a", "b"]}, "numbers of objects tell none"),
        ({"void": [3]}, "`void` tells classes"),
    ],
)
def test_classes_that_numbers_do_not_tell_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        parse("dataset", {"name": "instance_folder", "path": ".", **settings}, HOST)


@pytest.fixture
def home(tmp_path):
    """COCO's layout, and what changes one of its files."""
    pytest.importorskip("faster_coco_eval")
    coco(tmp_path)
    return tmp_path


def edited(home: Path, change: Any) -> Path:
    file = home / "annotations/instances_train.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return home


def test_coco_reads_polygons_run_lengths_crowds_and_images_without_objects(home):
    splits = read("coco", {"path": home, "val_size": 4})
    assert splits.labels == ("bee", "cat")  # the categories 3 and 17
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 4, 4]
    train = read("coco", {"path": home, "val_size": 0}).train
    target = train[2][1]
    assert target["labels"].tolist() == [1, 0]
    assert target["boxes"].tolist() == [[4, 2, 14, 10], [20, 0, 22, 20]]  # twice as large
    assert target["crowd"].tolist() == [False, True]
    square, column = np.zeros((10, 14)), np.zeros((10, 14))
    square[1:5, 2:7], column[:, 10] = 1, 1
    for mask, expected in zip(target["masks"], (square, column), strict=True):
        assert (mask.numpy() == np.kron(expected, np.ones((2, 2)))).all()
    assert [len(train[3][1][name]) for name in target] == [0] * 4


def test_boxes_without_area_are_dropped_and_counted(home):
    def flatten(content):
        content["annotations"][0]["bbox"][2] = 0
        content["annotations"][3]["bbox"][3] = -1

    splits = read("coco", {"path": edited(home, flatten), "val_size": 0})
    assert [len(splits.train[n][1]["boxes"]) for n in range(3)] == [1, 1, 2]
    (note,) = splits.facts["notes"]
    assert note.startswith("left out: 2 boxes without an area in")


def test_one_file_is_divided_and_its_labels_are_the_models(home):
    file = home / "annotations/instances_train.json"
    splits = read("coco", {"path": file, "test_size": 3, "val_size": 1})
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 1, 3]
    found = read("coco", {"path": file}, "whole", ("dog", "cat", "bee"))
    assert found.everything[0][1]["labels"].tolist() == [1, 2]
    with pytest.raises(DataError, match="has objects of `bee`, which is none of the 1 classes"):
        read("coco", {"path": file}, "whole", ("cat",))


def test_other_layouts_are_found(home):
    other = home / "other"
    for part in ("train", "valid"):
        folder = other / part
        folder.mkdir(parents=True)
        name = {"train": "train", "valid": "test"}[part]
        content = (home / f"annotations/instances_{name}.json").read_text()
        (folder / "_annotations.coco.json").write_text(content)
        for picture in (home / "images").iterdir():
            (folder / picture.name).write_bytes(picture.read_bytes())
    splits = read("coco", {"path": other})
    assert (len(splits.train), len(splits.validation), splits.test) == (12, 4, None)


def lost(content: Any) -> None:
    content["images"][1]["file_name"] = "nowhere.png"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lost, r"names 1 of 12 images that are not there \(`nowhere.png`; looked for in"),
        (lambda c: c["annotations"][0].update(category_id=5), "of category 5, which is none of"),
        (lambda c: c["annotations"][0].update(image_id=99), "on the image 99, which is none of"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2]), r"whose `bbox` is \[1, 2\]"),
        (lambda c: c["annotations"][0].update(segmentation={"size": [3]}), "the mask of an object"),
        (
            lambda c: c["annotations"][0].update(category_id=[3]),
            r"of category \[3\], which is none",
        ),
        (lambda c: c["annotations"][0].update(image_id={}), r"on the image \{\}, which is none of"),
        (lambda c: c["categories"][0].update(id=[3]), r"a category without a whole `id` .*\[3\]"),
        (lambda c: c["annotations"][0].update(iscrowd="0"), "`iscrowd` is '0', and neither 0 nor"),
        (lambda c: c["annotations"][0].update(bbox=[0, 0, 10**400, 1]), "and not left, top, width"),
        (
            lambda c: c["images"][1].update(file_name=c["images"][0]["file_name"]),
            "png` more than once",
        ),
        (lambda c: c["images"][0].update(height=11), "its JSON file says 11 and 14"),
        (lambda c: c["images"][0].update(id=1), "two images of one `id`"),
        (lambda c: c["categories"][0].update(name="bee"), "two categories of one"),
        (lambda c: c.pop("annotations"), "no file of COCO's form: it has no list `annotations`"),
    ],
)
def test_files_that_contradict_themselves_are_refused(home, change, said):
    with pytest.raises(DataError, match=said) as error:
        read("coco", {"path": edited(home, change)})
    assert "\n" not in str(error.value)


def mask_of(home: Path, segmentation: Any) -> Any:
    settings = {"path": edited(home, lambda c: outline(c, segmentation)), "val_size": 0}
    return read("coco", settings).train[0][1]["masks"][0]


def outline(content: Any, segmentation: Any) -> None:
    content["annotations"][0].update(segmentation=segmentation)


SQUARE = [2, 1, 7, 1, 7, 5, 2, 5]
"""Of 5 x 4 pixels; the image has 10 x 14."""


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ([[2, 1, 7, 1]], "a polygon has 4 numbers, and not x and y of 3 points or more"),
        ([SQUARE[:7]], "a polygon has 7 numbers"),
        ([SQUARE, [2, 1, 7, 1]], "a polygon has 4 numbers"),
        (SQUARE, r"it is \[2, 1, "),
        ("abc", "it is 'abc'"),
        ([[*SQUARE, float("nan"), 3]], "a polygon has the number nan, which is none or far"),
        ([[*SQUARE, 3, float("inf")]], "a polygon has the number inf"),
        ([[*SQUARE, 3, 1e12]], "a polygon has the number 1000000000000.0"),
        ([[*SQUARE, -141, 3]], "a polygon has the number -141"),
        ([[str(n) for n in SQUARE]], "a polygon has the number '2'"),
        ({"size": [10**6, 10**6], "counts": [10**12]}, r"its `size` is \[1000000, 1000000\]"),
        ({"size": [10, 14], "counts": [100, 5]}, "neither polygons nor run lengths of its size"),
    ],
)
def test_masks_that_would_be_drawn_as_others_are_refused(home, segmentation, said):
    with pytest.raises(DataError, match=said) as error:
        mask_of(home, segmentation)
    assert "\n" not in str(error.value)


def test_polygons_may_reach_out_of_the_image_and_empty_ones_are_none(home):
    wide = [-100, -50, 100, -50, 100, 100, -100, 100]
    assert mask_of(home, [wide]).all()
    assert mask_of(home, [SQUARE, []]).sum() == 4 * 5 * 4  # twice as large


def test_an_object_whose_only_polygon_is_empty_has_no_mask(home):
    with pytest.raises(DataError, match="has a box and no mask, of which no classes of pixels"):
        read("coco", {"path": edited(home, lambda c: outline(c, [[]])), "targets": "mask"})


def test_two_files_that_tell_other_objects_of_one_image_are_refused(home):
    train, test = (home / f"annotations/instances_{part}.json" for part in ("train", "test"))
    test.write_text(train.read_text())
    read("coco", {"path": home, "val_size": 0})
    content = json.loads(test.read_text())
    content["annotations"].pop(0)
    test.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"and in another file, which note other objects on it"):
        read("coco", {"path": home, "val_size": 0})


@pytest.mark.parametrize("strange", [np.inf, -np.inf, np.nan, 0.5])
def test_numbers_that_are_none_are_no_objects(tmp_path, strange):
    settings = maps(tmp_path, numbered(0))
    for number in range(3):
        (tmp_path / f"instances/{number}.png").unlink()
        values = numbered(0).astype(float)
        values[0, 0] = strange
        np.save(tmp_path / f"instances/{number}.npy", values)
    with pytest.raises(DataError, match="holds `float64` that are no whole numbers"):
        read("instance_folder", settings)


def test_a_folder_without_a_file_of_a_part_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no JSON files, and none that is called"):
        read("coco", {"path": tmp_path})
    (tmp_path / "x_train.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as JSON"):
        read("coco", {"path": tmp_path})


def test_pictures_of_sixteen_bits_are_maps(tmp_path):
    settings = instance_folder(tmp_path)
    Image.fromarray(numbered(0)).save(tmp_path / "instances/0.tif")
    (tmp_path / "instances/0.png").unlink()
    assert len(read("instance_folder", settings).train) == 9
