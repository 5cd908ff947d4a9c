"""COCO's files as the class of each pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pictures_and_masks import SPEC, picture

from onlay.cli import main
from onlay.config import resolve
from onlay.errors import ConfigError, DataError
from onlay.host import PluginHost
from onlay_dense.data import coco
from onlay_dense.data.objects_config import CocoConfig

pytest.importorskip("faster_coco_eval", reason="comes with onlay-dense[detect]")

CATEGORIES = [{"id": 7, "name": "bee"}, {"id": 3, "name": "ant"}]
ANT = {"category_id": 3, "bbox": [0, 0, 3, 2], "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2]]}
BEE = {
    "category_id": 7,
    "bbox": [2, 0, 2, 2],
    "segmentation": {"size": [2, 6], "counts": [4, 4, 4]},
}
"""Its third and fourth column, by run lengths; of the ant the first three."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three images of 2 by 6 pixels: ant and bee, two ants, nothing."""
    for number in range(3):
        picture(tmp_path / f"{number}.png", number, (2, 6))
    return written(tmp_path / "all.json", [(0, ANT), (0, BEE), (1, ANT), (1, ANT)])


def written(path: Path, objects: list[tuple[int, dict[str, Any]]]) -> Path:
    images = [{"id": n, "file_name": f"{n}.png", "height": 2, "width": 6} for n in range(3)]
    notes = [{"id": n, "image_id": i, "iscrowd": 0} | own for n, (i, own) in enumerate(objects)]
    content = {"images": images, "annotations": notes, "categories": CATEGORIES}
    path.write_text(json.dumps(content))
    return path


def masks(file: Path, **given: Any) -> tuple[Any, dict[str, list[int]]]:
    """The first row of each image's classes; both are alike."""
    config = CocoConfig(path=file, targets="mask", **{"test_size": 0, "val_size": 0} | given)
    splits: Any = coco.build(config, SPEC, 0)
    train = splits.train
    pairs = zip(train.sources, train.targets, strict=True)
    return splits, {source.stem: target[0].tolist() for source, target in pairs}


def test_pixels_have_the_class_of_their_object_and_two_are_void(file: Path) -> None:
    splits, rows = masks(file)
    assert (splits.labels, splits.targets) == (("background", "ant", "bee"), "mask")
    assert rows == {"0": [1, 1, -1, 2, 0, 0], "1": [1, 1, 1, 0, 0, 0], "2": [0] * 6}


def test_what_is_behind_may_be_void_and_classes_may_be_listed(file: Path) -> None:
    splits, rows = masks(file, background=None)
    assert splits.labels == ("ant", "bee")
    assert rows["0"] == [0, 0, -1, 1, -1, -1]
    assert masks(file, labels=("bee", "background", "ant"))[1]["1"] == [2, 2, 2, 1, 1, 1]
    with pytest.raises(DataError, match=r"are `background` .*, which is none of the 2 classes"):
        masks(file, labels=("bee", "ant"))


def test_boxes_alone_make_no_masks(file: Path) -> None:
    boxed = {name: value for name, value in ANT.items() if name != "segmentation"}
    written(file, [(0, ANT), (1, boxed)])
    with pytest.raises(DataError, match=r"1\.png` \(`id` 1\) has a box and no mask"):
        masks(file)


def test_a_model_is_judged_by_its_own_classes(file: Path) -> None:
    config = CocoConfig(path=file, targets="mask")
    found: Any = coco.whole(config, SPEC, ("bee", "ant", "background")).everything
    rows = {s.stem: t[0].tolist() for s, t in zip(found.sources, found.targets, strict=True)}
    assert rows["0"] == [1, 1, -1, 0, 2, 2]


def test_the_task_says_what_is_told(file: Path) -> None:
    words = ["data", "check", "data=coco", f"data.path={file}", "data.targets=mask"]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    assert "3 items of 3 classes: 3 background, 2 ant, 1 bee" in told.output
    host = PluginHost.discover()
    run = {"backbone": "onlay_vit_64", "method": "linear", "data": {"name": "coco", "path": file}}
    for task, tells in (("segmentation", "mask"), ("detection", "objects")):
        assert resolve(run | {"task": task}, (), host).data.targets == tells
    with pytest.raises(ConfigError, match="`coco` gives `mask` or `objects`"):
        resolve(run | {"task": "depth"}, (), host)
