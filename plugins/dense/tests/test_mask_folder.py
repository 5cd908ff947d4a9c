"""Images and masks are paired by their stems, in whatever layout they lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pictures_and_masks import HALVES, SPEC, mask, pairs, picture

from onlay.cli import main
from onlay.data import EachTarget
from onlay.errors import DataError
from onlay.reading.part_view import PartView
from onlay.tasks.class_maps import VOID
from onlay.tasks.constants import places_of
from onlay.testing import dataset_checks
from onlay_dense.data import mask_folder
from onlay_dense.data.config import MaskFolderConfig


@dataset_checks("mask_folder")
def test_mask_folder_keeps_its_contract(check: Any) -> None:
    check()


def config(root: Path, **given: Any) -> MaskFolderConfig:
    return MaskFolderConfig(path=root, **{"labels": ("left", "right"), **given})


def built(root: Path, **given: Any) -> Any:
    return mask_folder.build(config(root, **given), SPEC, 0)


def names(part: Any) -> list[str]:
    return [source.stem for source in part.sources]


def test_pairs_are_split_by_their_seed(tmp_path: Path) -> None:
    root = pairs(tmp_path, {f"{n}": n for n in range(10)})
    splits = built(root, val_size=2, test_size=3)
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [5, 2, 3]
    assert names(splits.test) == names(built(root, val_size=2, test_size=3).test)
    assert names(splits.test) != names(built(root, val_size=2, test_size=3, split_seed=1).test)
    assert (splits.labels, splits.targets) == (("left", "right"), "mask")


def test_masks_follow_stems_and_not_the_order_of_files(tmp_path: Path) -> None:
    """`b1` sorts before `b10` without suffix, `b10.jpg` before `b1_x.png` with it."""
    for number, stem in enumerate(("b1", "b10", "b2")):
        picture(tmp_path / "images" / f"{stem}.jpg", number)
        stored = np.full((8, 12), number, np.uint8)
        mask(tmp_path / "masks" / f"{'b10_x' if stem == 'b10' else stem + '_x'}.png", stored)
    found = mask_folder.whole(config(tmp_path, labels=NAMES, mask_ending="_x"), SPEC, NAMES)
    part: Any = found.everything
    by_stem = {s.stem: int(t[0, 0]) for s, t in zip(part.sources, part.targets, strict=True)}
    assert by_stem == {"b1": 0, "b10": 1, "b2": 2}


NAMES = ("left", "right", "far")


@pytest.mark.parametrize("inner", [True, False])
def test_parts_may_be_inside_or_outside(tmp_path: Path, inner: bool) -> None:
    for number, part in enumerate(("train", "val", "test")):
        for stem in range(3 - number):
            seed = 10 * number + stem
            image, own = (("images", part), ("masks", part)) if inner else ((part, "images"),) * 2
            own = own if inner else (part, "masks")
            picture(tmp_path.joinpath(*image) / f"{stem}.png", seed)
            mask(tmp_path.joinpath(*own) / f"{stem}.png", HALVES)
    splits = built(tmp_path)
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [3, 2, 1]
    splits = built(tmp_path, parts={"train": "train", "test": ["val"]}, val_size=0)
    assert splits.validation is None
    assert len(splits.test) == 2
    if inner:
        assert len(built(tmp_path, parts="none", test_size=2, val_size=0).train) == 4


def test_a_part_without_masks_is_left_out_and_said(tmp_path: Path) -> None:
    pairs(tmp_path, {"a": 0, "b": 1, "c": 2}, "train")
    picture(tmp_path / "test" / "images" / "d.jpg", 3)
    splits = built(tmp_path, val_size=1)
    assert splits.test is None
    assert f"left out: `{tmp_path / 'test'}`, which has no masks" in splits.facts["notes"]


def test_one_folder_may_hold_both(tmp_path: Path) -> None:
    for stem in "abc":
        picture(tmp_path / "all" / f"{stem}.png", ord(stem))
        mask(tmp_path / "all" / f"{stem}_mask.png", HALVES)
    splits = built(tmp_path, images="all", masks="all", mask_ending="_mask", test_size=0)
    assert len(splits.train) == 2
    assert len(splits.validation) == 1


def test_a_mask_goes_where_its_picture_goes(tmp_path: Path) -> None:
    """Both sides to 4 pixels; void stays void."""
    stored = HALVES.copy()
    stored[:4] = 9
    for stem in "ab":
        picture(tmp_path / "images" / f"{stem}.png", ord(stem))
        mask(tmp_path / "masks" / f"{stem}.png", stored)
    splits = built(tmp_path, void=[9], test_size=0, val_size=1)
    splits.validation.move_targets("mask")
    image, target = splits.validation[0]
    assert image.shape == (3, 4, 4)
    assert target.dtype == torch.int64
    assert target.tolist() == [[VOID] * 4] * 2 + [[0, 0, 1, 1]] * 2


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
def test_sizes_may_be_oblong(tmp_path: Path, resize: str) -> None:
    """8 rows and 12 columns into 3 and 6: the columns halve, or the rows and columns are as they
    fit into 3 rows (4.5 columns, 4 to be whole), or 4 rows of 6 columns have 3 in the middle."""
    root = pairs(tmp_path, {"a": 0, "b": 1})
    preprocess = {"img_size": [3, 6], "resize": resize}
    splits = built(root, test_size=0, val_size=1, preprocess=preprocess)
    splits.validation.move_targets("mask")
    image, target = splits.validation[0]
    assert image.shape == (3, 3, 6)
    rows = {"pad": [0, 0, 1, 1, VOID, VOID]}.get(resize, [0, 0, 0, 1, 1, 1])
    assert target.tolist() == [rows] * 3


def test_a_fold_leaves_masks_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = built(pairs(tmp_path, {"a": 0, "b": 1, "c": 2}), test_size=0, val_size=0).train
    monkeypatch.setattr("onlay_dense.data.masks.read_values", None)
    assert [path.stem for path in PartView(part, [2, 0]).targets.files] == ["c", "a"]


def test_other_data_are_judged_with_the_models_classes(tmp_path: Path) -> None:
    root = pairs(tmp_path, {"a": 0, "b": 1})
    found = mask_folder.whole(config(root), SPEC, ("far", "right", "left"))
    assert sorted(found.everything.targets[0].unique().tolist()) == [1, 2]  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="the masks have `right`, which this run does not know"):
        mask_folder.whole(config(root), SPEC, ("left",))


def test_maps_of_objects_are_masks_in_one_line() -> None:
    """Nuclei of the Data Science Bowl, numbered from 1: 841,518 pixels of those to train on."""
    root = Path(os.environ.get("ONLAY_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not (root / "nuclei").is_dir():
        pytest.skip("needs the pictures of `nuclei` (set ONLAY_DATA)")
    values = {0: "background", "rest": "nucleus"}
    settings = MaskFolderConfig(path=root / "nuclei", masks="instances", values=values)
    splits = mask_folder.build(settings, SPEC, 0)
    assert [len(splits.train), len(splits.validation), splits.test] == [180, 60, None]  # type: ignore[arg-type]
    assert places_of(EachTarget(splits.train), 2).tolist() == [180 * 256 * 256 - 841_518, 841_518]


def said(root: Path, *words: str, status: int = 2) -> str:
    given = ["data=mask_folder", f"data.path={root}", "data.labels=[left, right]", *words]
    result = CliRunner().invoke(main, ["data", "check", *given])
    assert result.exit_code == status, result.output
    return result.output


def test_an_image_without_its_mask_and_the_other_way_round(tmp_path: Path) -> None:
    root = pairs(tmp_path, {"a": 0, "b": 1, "c": 2})
    (root / "masks" / "a.png").unlink()
    text = said(root)
    assert "one image has no mask" in text
    assert "a.jpg" in text
    assert "no image" not in text
    (root / "images" / "c.jpg").unlink()
    assert "one image has no mask" in said(root)
    assert "one mask has no image" in said(root)
    text = said(root, "data.unpaired=drop", status=0)
    assert "left out: one mask has no image" in text
    assert "1 items of 2 classes: 1 left, 1 right" in text


def test_names_that_never_meet_and_two_images_of_one_stem(tmp_path: Path) -> None:
    root = pairs(tmp_path, {"a": 0, "b": 1})
    picture(root / "images" / "a.png", 4)
    assert "have one stem" in said(root)
    (root / "images" / "a.png").unlink()
    for path in list((root / "masks").iterdir()):
        path.rename(path.with_stem(f"{path.stem}_gt"))
    assert "no image has a mask of its name" in said(root)
    said(root, "data.mask_ending=_gt", status=0)
    assert "there are no masks in" in said(root, "data.mask_ending=_x")


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    assert "there is no folder" in said(tmp_path / "none")
    (tmp_path / "photos").mkdir()
    assert "name them, `data.images=FOLDER data.masks=FOLDER`" in said(tmp_path)


def test_a_check_reads_every_mask_and_names_each_that_is_wrong(tmp_path: Path) -> None:
    root = pairs(tmp_path, {"a": 0, "b": 1, "c": 2, "d": 3})
    mask(root / "masks" / "a.png", HALVES * 7)
    mask(root / "masks" / "b.png", HALVES.T)
    (root / "masks" / "c.png").write_bytes((root / "masks" / "d.png").read_bytes()[:40])
    text = said(root, status=1)
    assert "value 7 (row 0, column 6), which is no class" in text
    assert "b.png` has 12 rows and 8 columns, and its image" in text
    assert "c.png` cannot be read" in text
    assert "d.png" not in text
    with pytest.raises(DataError, match=r"a\.png` has the value 7"):
        built(root, test_size=0)
