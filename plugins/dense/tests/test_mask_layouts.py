"""CamVid and ADE20K as they were published, in miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures_and_masks import SPEC, mask, picture

from onlay.errors import DataError
from onlay.testing import dataset_checks
from onlay_dense.data import ade20k, camvid
from onlay_dense.data.config import Ade20kConfig, CamvidConfig


@dataset_checks("camvid")
def test_camvid_keeps_its_contract(check: Any) -> None:
    check()


@dataset_checks("ade20k")
def test_ade20k_keeps_its_contract(check: Any) -> None:
    check()


STREET = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car"),
    *("pedestrian", "bicyclist"),
)


def street(root: Path) -> Any:
    return camvid.build(CamvidConfig(path=root), SPEC, 0)


def test_numbers_of_camvid_are_its_classes_and_eleven_is_void(tmp_path: Path) -> None:
    stored = np.arange(12, dtype=np.uint8).reshape(2, 6)
    for part in ("train", "val", "test"):
        picture(tmp_path / part / "a.png", len(part), (2, 6))
        mask(tmp_path / f"{part}annot" / "a.png", stored)
    splits = street(tmp_path)
    assert splits.labels == STREET
    assert splits.train.targets[0].flatten().tolist() == [*range(11), -1]


@pytest.mark.parametrize("raw", [True, False])
def test_colours_of_camvid_are_joined_to_its_classes(tmp_path: Path, raw: bool) -> None:
    """Archway is building, a lane mark is road, a motorcycle goes with bicycles, black is void."""
    colours = [[(192, 0, 128), (192, 0, 64), (192, 0, 192), (0, 0, 0)]]
    images = tmp_path / ("701_StillsRaw_full" if raw else "train")
    masks = tmp_path / ("LabeledApproved_full" if raw else "train_labels")
    for number in range(4):
        picture(images / f"{number}.png", number, (1, 4))
        mask(masks / f"{number}_L.png", np.array(colours, np.uint8))
    splits = street(tmp_path)
    assert splits.train.targets[0].tolist() == [[1, 3, 10, -1]]
    assert (splits.test is None) == (not raw)
    if raw:
        (tmp_path / "train.txt").write_text("/a/train/2.png /a/trainannot/2.png\n/b/0.png /c\n")
        (tmp_path / "test.txt").write_text("1.png\n")
        splits = street(tmp_path)
        assert [path.stem for path in splits.test.sources] == ["1"]
        assert len(splits.train) + len(splits.validation) == 2


def test_lists_of_camvid_must_be_of_its_images(tmp_path: Path) -> None:
    for part in ("train", "val"):
        picture(tmp_path / part / "a.png", len(part), (1, 2))
        mask(tmp_path / f"{part}annot" / "a.png", np.zeros((1, 2), np.uint8))
    (tmp_path / "val.txt").write_text("/SegNet/CamVid/val/lost.png /SegNet/lost.png\n")
    with pytest.raises(DataError, match=r"val\.txt` names `lost`"):
        street(tmp_path)
    (odd := tmp_path / "odd").joinpath("train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"is no CamVid \(`train`"):
        street(odd)


def scenes(root: Path) -> Any:
    return ade20k.build(Ade20kConfig(path=root), SPEC, 0)


def test_ade20k_has_its_parts_and_void(tmp_path: Path) -> None:
    for part, seed in (("training", 0), ("validation", 1)):
        picture(tmp_path / "images" / part / "a.jpg", seed, (1, 4))
        values = np.array([[0, 1, 2, 150]], np.uint8)
        mask(tmp_path / "annotations" / part / "a.png", values)
    splits = scenes(tmp_path)
    assert [len(splits.train), len(splits.validation), splits.test] == [1, 1, None]
    assert splits.validation.targets[0].tolist() == [[-1, 0, 1, 149]]
    assert splits.labels[:2] == ("1", "2")
    rows = "".join(f"{n}\t0.1\t9\t9\t1\tthing {n}, object\n" for n in range(1, 151))
    (tmp_path / "objectInfo150.txt").write_text(f"Idx\tRatio\tTrain\tVal\tStuff\tName\n{rows}")
    assert scenes(tmp_path).labels[149] == "thing 150"
    (tmp_path / "objectInfo150.txt").write_text("Idx\tName\n1\twall\n")
    with pytest.raises(DataError, match="names 1 classes, and not 150"):
        scenes(tmp_path)
