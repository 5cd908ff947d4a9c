"""VTAB-1k, FGVC and digits: published parts, and what is wrong in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_pictures import SPEC, draw

from onlay.data import Splits
from onlay.testing.said import fails
from onlay_image.data import digits, fgvc, vtab
from onlay_image.data.config import (
    DigitsConfig,
    FgvcConfig,
    VtabConfig,
)

# --- VTAB-1k --------------------------------------------------------------------------------------


def vtab_task(root: Path, classes: int = 3) -> None:
    """800 + 200 and a test list, of which a few images are enough: 8, 2 and 6."""
    for name, start, count in (("train800", 0, 8), ("val200", 8, 2), ("test", 10, 6)):
        lines = []
        for number in range(start, start + count):
            draw(root / f"images/{name} set/{number}.jpg", 0)
            lines.append(f"images/{name} set/{number}.jpg {number % classes}")
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    both = "".join((root / f"{name}.txt").read_text() for name in ("train800", "val200"))
    (root / "train800val200.txt").write_text(both)


def in_vtab(path: Path, **kwargs: Any) -> Splits:
    return vtab.build(VtabConfig(path=path, **kwargs), SPEC, 0)


def test_vtab(tmp_path: Path) -> None:
    vtab_task(tmp_path)
    published = in_vtab(tmp_path)
    assert len(published.train) == 10
    assert published.validation is None
    assert len(published.test) == 6
    assert published.labels == ("0", "1", "2")
    assert published.train.targets == [n % 3 for n in range(10)]
    assert published.preprocessing["resize"] == "squash"
    assert published.preprocessing["mean"] == pytest.approx([0.485, 0.456, 0.406])
    held_out = in_vtab(tmp_path, train="train800", labels=("ant", "bee", "cat"))
    assert (len(held_out.train), len(held_out.validation), len(held_out.test)) == (8, 2, 6)
    assert held_out.labels == ("ant", "bee", "cat")


def test_classes_that_a_list_of_800_lacks_are_said(tmp_path: Path) -> None:
    """Users met lists of 800 without classes of the other 200: a head of all 1,000's classes."""
    vtab_task(tmp_path)
    (tmp_path / "train800.txt").write_text("images/train800 set/0.jpg 0\n")
    splits = in_vtab(tmp_path, train="train800")
    assert splits.labels == ("0", "1", "2")
    notes = splits.facts["notes"]
    assert any("no image to train on has `1`, `2`, which cannot be learnt" in n for n in notes)
    assert any("train800.txt` has 1 lines, and the published list has 800" in n for n in notes)


def test_a_switch_of_preprocessing_keeps_the_protocols_others() -> None:
    config = VtabConfig.model_validate({"path": ".", "preprocess": {"normalize": "half"}})
    assert config.preprocess.normalize == "half"
    assert config.preprocess.resize == "squash"
    assert config.preprocess.interpolation == "bicubic"


def test_what_is_wrong_with_vtab(tmp_path: Path) -> None:
    vtab_task(tmp_path)
    fails(lambda: in_vtab(tmp_path, labels=("ant", "bee")), "line 3", "label `2`", "2 classes")
    (tmp_path / "train800val200.txt").write_text("images/train800 set/0.jpg\n")
    fails(lambda: in_vtab(tmp_path), "line 1 of", "is not a path and a class number")
    vtab_task(tmp_path)
    (tmp_path / "test.txt").unlink()
    fails(lambda: in_vtab(tmp_path), f"the split file `{tmp_path / 'test.txt'}` is missing")


# --- FGVC -----------------------------------------------------------------------------------------


def fgvc_task(root: Path, home: str) -> None:
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        entries = {f"birds/{part}{number}.jpg": 7 + number % 2 for number in range(count)}
        for name in entries:
            draw(root / home / name, 0)
        (root / f"{part}.json").write_text(json.dumps(entries))


def in_fgvc(path: Path, **kwargs: Any) -> Splits:
    return fgvc.build(FgvcConfig(path=path, **kwargs), SPEC, 0)


@pytest.mark.parametrize("home", ["", "images", "Images"])
def test_fgvc(home: str, tmp_path: Path) -> None:
    fgvc_task(tmp_path, home)
    splits = in_fgvc(tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (4, 2, 2)
    assert splits.labels == ("7", "8")
    assert splits.train.targets == [0, 1, 0, 1]
    assert splits.train.chance is not None
    assert splits.test.chance is None


def test_what_is_wrong_with_fgvc(tmp_path: Path) -> None:
    fgvc_task(tmp_path, "elsewhere")
    fails(lambda: in_fgvc(tmp_path), "`birds/train0.jpg` of the lists", "(looked below:")
    assert len(in_fgvc(tmp_path, images="elsewhere").train) == 4
    (tmp_path / "val.json").write_text("[1, 2]")
    fails(lambda: in_fgvc(tmp_path, images="elsewhere"), "does not map paths to classes")
    (tmp_path / "val.json").write_text("{")
    fails(lambda: in_fgvc(tmp_path, images="elsewhere"), "is no JSON")
    for none in ("NaN", "null", '""', "1.5", "true"):
        (tmp_path / "val.json").write_text(f'{{"birds/train0.jpg": {none}}}')
        fails(
            lambda: in_fgvc(tmp_path, images="elsewhere"), "`birds/train0.jpg` of", "has the class"
        )
    (tmp_path / "val.json").unlink()
    fails(lambda: in_fgvc(tmp_path), f"the split file `{tmp_path / 'val.json'}` is missing")


# --- digits ---------------------------------------------------------------------------------------


def test_digits() -> None:
    splits = digits.build(DigitsConfig(), SPEC, 0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1000, 180, 617)
    assert splits.labels == tuple("0123456789")
    pixels, target = splits.train[0]
    number = int(np.asarray(splits.train.sources[0], dtype=int).sum())
    assert round(pixels[0].sum().item() * 255) == number
    assert target == splits.train.targets[0]
    assert all(n > 90 for n in splits.facts["counts"]["train"].values())


def test_fewer_digits_to_train_on_leave_the_other_parts_as_they_are() -> None:
    whole = digits.build(DigitsConfig(), SPEC, 0)
    few = digits.build(DigitsConfig(train_size=20), SPEC, 0)
    assert few.facts["counts"]["train"] == dict.fromkeys("0123456789", 2)
    for part in ("validation", "test"):
        ours, theirs = getattr(few, part), getattr(whole, part)
        assert np.array_equal(ours.sources, theirs.sources)


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    splits = digits.build(DigitsConfig(), SPEC, 0)
    known = {(image.round().astype(int) * 255 // 16).tobytes() for image in load_digits().images}
    shades = (np.asarray(splits.test.sources[3]).astype(int) * 16 / 255).round().astype(int)
    assert (shades * 255 // 16).tobytes() in known
