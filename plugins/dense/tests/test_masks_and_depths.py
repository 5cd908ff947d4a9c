"""Masks and depth maps of the same images, in three folders."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures_and_masks import HALVES, SPEC, mask, picture

from onlay import PluginHost
from onlay.config import parse, resolve
from onlay.errors import ConfigError, DataError
from onlay_dense.data import mask_folder
from onlay_dense.data.config import MaskFolderConfig
from onlay_dense.data.samples import paint

LABELS = ("mask/left", "mask/right", "depth/depth")


def written(root: Path, count: int = 4) -> Path:
    for number in range(count):
        picture(root / f"images/{number}.png", number)
        mask(root / f"masks/{number}.png", HALVES)
        paint(root / f"depths/{number}.png", np.full(HALVES.shape, 1000 + number, np.uint16))
    return root


def config(root: Path, **given: Any) -> MaskFolderConfig:
    own = {"depths": "depths", "depth_values": {"scale": 1000}, "test_size": 1, "val_size": 1}
    return MaskFolderConfig(path=root, labels=("left", "right"), **{**own, **given})


def test_both_are_told_by_their_stems(tmp_path: Path) -> None:
    splits = mask_folder.build(config(written(tmp_path)), SPEC, 0)
    assert (splits.targets, splits.labels) == ("several", LABELS)
    part: Any = pickle.loads(pickle.dumps(splits.train))
    part.move_targets({"mask": "mask", "depth": "map"})
    (inputs, target), number = part[1], int(part.sources[1].stem)
    assert target["mask"].unique().tolist() == [0, 1]
    assert target["depth"].unique().tolist() == [pytest.approx(1 + number / 1000)]
    assert target["mask"].shape == target["depth"].shape == inputs.shape[1:]
    turned = ("mask/right", "mask/left", "depth/depth")
    whole: Any = mask_folder.whole(config(tmp_path), SPEC, turned).everything
    assert torch.equal(whole.targets[0]["mask"].long(), 1 - torch.from_numpy(HALVES).long())
    assert mask_folder.measure(config(tmp_path))(part.sources[0]) == HALVES.shape


def test_masks_alone_are_told_where_these_are_learnt(tmp_path: Path) -> None:
    splits = mask_folder.build(config(written(tmp_path), targets="mask"), SPEC, 0)
    assert (splits.targets, splits.labels) == ("mask", ("left", "right"))


def test_images_without_a_depth_map_are_refused_or_left_out(tmp_path: Path) -> None:
    (written(tmp_path, 6) / "depths/3.png").unlink()
    with pytest.raises(DataError, match=r"one image has no depth \(`.*3.png`"):
        mask_folder.build(config(tmp_path), SPEC, 0)
    splits = mask_folder.build(config(tmp_path, unpaired="drop"), SPEC, 0)
    assert len(splits.train) == 3  # of 5


def test_other_sizes_are_refused(tmp_path: Path) -> None:
    paint(written(tmp_path) / "depths/2.png", np.full((3, 5), 1000, np.uint16))
    with pytest.raises(DataError, match=r"depths/2.png` has 3 rows and 5 columns, and the mask"):
        mask_folder.build(config(tmp_path), SPEC, 0)


def test_several_things_need_the_folder_of_depths(tmp_path: Path) -> None:
    host = PluginHost.discover()
    data = {"name": "mask_folder", "path": str(tmp_path), "labels": ["a", "b"]}
    heads = {"parts": "segmentation", "depth": "depth"}
    run = {"backbone": "onlay_vit_64", "method": "linear", "task": {"name": "several"}}
    run["task"] = {"name": "several", "heads": heads}
    with pytest.raises(ConfigError, match="there are masks alone: name `depths`"):
        resolve({**run, "data": data}, (), host)
    both = resolve({**run, "data": {**data, "depths": "far"}}, (), host)
    assert both.data.told == "several"
    assert parse("dataset", data, host).told == "mask"
