"""ScanObjectNN's h5 files: which are read, how labels may be stored, what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from onlay_pointcloud.data import scanobjectnn
from onlay_pointcloud.data.config import ScanObjectNNConfig
from onlay_pointcloud.data.hdf5 import items_of

PER_CLASS, POINTS = 10, 32
NAMES = {
    "obj_bg": "main_split/{}_objectdataset.h5",
    "obj_only": "main_split_nobg/{}_objectdataset.h5",
    "pb_t50_rs": "main_split/{}_objectdataset_augmentedrot_scale75.h5",
}


@pytest.fixture
def files(tmp_path: Path, write_h5: Callable) -> Path:
    """All six files; the first coordinate of a cloud's first point tells variant and number."""
    labels = np.arange(15).repeat(PER_CLASS)
    for offset, name in enumerate(NAMES.values()):
        for part, number in (("training", labels), ("test", labels[::2])):
            data = np.random.default_rng(offset).random((len(number), POINTS, 3), np.float32)
            data[:, 0, 0] = 100 * (offset + 1) + np.arange(len(number)) / 1000
            write_h5(tmp_path / name.format(part), data=data, label=number.astype(np.int32))
    return tmp_path


def build(spec: dict[str, Any], **config: Any) -> Any:
    return scanobjectnn.build(ScanObjectNNConfig(**config), spec, 0)


@pytest.mark.parametrize("variant", NAMES)
def test_every_variant_has_its_files(files: Path, spec: dict[str, Any], variant: str) -> None:
    built = build(spec, path=files, variant=variant)
    assert built.labels[0] == "bag"
    assert built.labels[9] == "table"
    assert len(built.labels) == 15
    assert [len(built.train), len(built.validation), len(built.test)] == [135, 15, 75]
    points, target = built.test[7]
    offset = 100 * (list(NAMES).index(variant) + 1)
    assert points[0, 0].item() == pytest.approx(offset + 0.007, abs=1e-4), "not normalised"
    assert target == 1
    assert built.preprocessing["normalize"] == "none"
    folder = (files / NAMES[variant]).parent
    assert build(spec, path=folder, variant=variant).digest == built.digest


def test_validation_is_a_part_of_training(files: Path, spec: dict[str, Any]) -> None:
    built = build(spec, path=files)
    marks = [
        {float(points[0, 0]) for points in part.clouds.sources}
        for part in (built.train, built.validation)
    ]
    assert marks[0].isdisjoint(marks[1])
    assert len(marks[0] | marks[1]) == 150
    assert built.facts["counts"]["validation"] == dict.fromkeys(scanobjectnn.CLASSES, 1)
    published = build(spec, path=files, val_size=0)
    assert published.validation is None
    assert len(published.train) == 150
    assert published.digest != built.digest
    assert build(spec, path=files, split_seed=1).digest != built.digest


def test_training_scales_and_shifts_each_cloud(files: Path, spec: dict[str, Any]) -> None:
    train = build(spec, path=files, variant="obj_bg").train
    torch.manual_seed(0)
    widths = torch.stack([torch.aminmax(train[3][0][:, 1:], dim=0).max for _ in range(20)])
    assert widths.std(0).min() > 0.05
    plain = build(spec, path=files, variant="obj_bg", preprocess={"augment": "none"}).train
    assert plain.clouds.load.normalize == "none", "the layout's own defaults stay"
    assert torch.equal(plain[3][0].sort(0).values, plain.clouds.cloud(3).sort(0).values)


def test_two_files_of_any_name(files: Path, spec: dict[str, Any]) -> None:
    pair = tuple(files / NAMES["obj_bg"].format(part) for part in ("training", "test"))
    assert build(spec, files=pair).digest == build(spec, path=files, variant="obj_bg").digest
    for wrong in ({}, {"files": pair, "path": files}):
        with pytest.raises(ValidationError, match="give `path`"):
            ScanObjectNNConfig(**wrong)


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_in_rows_or_columns(
    tmp_path: Path, write_h5: Callable, cloud: Callable, shape: tuple[int, ...], dtype: type
) -> None:
    data = np.stack([cloud(POINTS, seed) for seed in range(6)])
    labels = np.array([0, 2, 1, 1, 0, 2], dtype).reshape(shape)
    items = items_of(write_h5(tmp_path / "a.h5", data=data, label=labels), ("ant", "bee", "cat"))
    assert [item.label for item in items] == ["ant", "cat", "bee", "bee", "ant", "cat"]
    assert [item.key for item in items[:2]] == ["a.h5/0", "a.h5/1"]
    assert np.array_equal(items[4].source, data[4])


def test_what_is_wrong_with_an_h5_file(
    tmp_path: Path, write_h5: Callable, cloud: Callable, fails: Callable
) -> None:
    data = np.stack([cloud(POINTS, seed) for seed in range(3)])
    path, label = tmp_path / "a.h5", np.array([0, 1, 1])

    def told(*parts: str, **arrays: np.ndarray) -> None:
        write_h5(path, **arrays)
        fails(lambda: items_of(path, ("ant", "bee")), f"`{path}`", *parts)

    told("has no `data` (have: `label`)", label=label)
    told("has no `label` (have: `data`, `mask`)", data=data, mask=label)
    told("`data` of", "(3, 32)", data=data[..., 0], label=label)
    told("`label` of", "not 3 whole numbers", data=data, label=label[:2])
    told("`label` of", "float64", data=data, label=label + 0.5)
    told("cloud 1 of", "the label 2, and the 2 classes are 0 to 1", data=data, label=2 * label)
    told("cloud 0 of", "the label -1", data=data, label=label - 1)
    hole = data.copy()
    hole[2, 5, 1] = np.nan
    told("cloud 2 of", "NaN or infinite", data=hole, label=label)
    same = data.copy()
    same[1] = 0.5
    told("all points of cloud 1 of", "lie at one place", data=same, label=label)

    write_h5(path, data=data, label=label)
    path.write_bytes(path.read_bytes()[:900])
    fails(lambda: items_of(path, ("ant", "bee")), f"`{path}` cannot be read as `.h5`")
    path.write_bytes(b"")
    fails(lambda: items_of(path, ("ant", "bee")), f"`{path}` is empty")
    fails(
        lambda: build({}, path=tmp_path),
        f"there is no file `{tmp_path}/main_split/training_objectdataset_augmentedrot_scale75.h5`",
    )


def test_clouds_smaller_than_asked_for(files: Path, spec: dict[str, Any], fails: Callable) -> None:
    built = build(spec, path=files, preprocess={"npoints": 40})
    fails(
        lambda: built.test[2],
        "`test_objectdataset_augmentedrot_scale75.h5/2` has 32 points, and 40 are needed",
    )
