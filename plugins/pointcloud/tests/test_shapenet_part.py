"""ShapeNetPart: lists, categories, parts, and how points are drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onlay_pointcloud.data import preprocess, shapenet_part
from onlay_pointcloud.data.config import ShapeNetPartConfig
from onlay_pointcloud.data.shapenet_part import CATEGORIES, LABELS

FOLDERS = {"Airplane": "02691156", "Chair": "03001627", "Table": "04379243"}
LISTS = {"train": 3, "val": 2, "test": 2}
"""Shapes of each category."""
SIZE = 60


@pytest.fixture
def root(tmp_path: Path, cloud: Callable) -> Path:
    """Three categories; the part of a point is its place in the file, modulo their number."""
    rows = "\n".join(f"{name}\t{folder}" for name, folder in FOLDERS.items())
    (tmp_path / "synsetoffset2category.txt").write_text(rows + "\n")
    (tmp_path / "train_test_split").mkdir()
    for seed, (part, count) in enumerate(LISTS.items()):
        ids = [
            f"shape_data/{folder}/{part}{n}" for n in range(count) for folder in FOLDERS.values()
        ]
        listed = tmp_path / "train_test_split" / f"shuffled_{part}_file_list.json"
        listed.write_text(json.dumps(ids))
        for number, (name, folder) in enumerate(FOLDERS.items()):
            (tmp_path / folder).mkdir(exist_ok=True)
            for n in range(count):
                points = cloud(SIZE, 100 * seed + 10 * number + n)
                own = np.resize(CATEGORIES[name], SIZE)[:, None]
                table = np.hstack([points, np.zeros((SIZE, 3)), own])
                np.savetxt(tmp_path / folder / f"{part}{n}.txt", table, fmt="%.6f")
    return tmp_path


def build(root: Path, spec: dict[str, Any], **config: Any) -> Any:
    return shapenet_part.build(ShapeNetPartConfig(path=root, **config), spec, 0)


def test_categories_as_published() -> None:
    assert len(LABELS) == 50
    assert LABELS[:5] == ("Airplane 0", "Airplane 1", "Airplane 2", "Airplane 3", "Bag 0")
    assert LABELS[49] == "Table 2"
    assert len(CATEGORIES) == 16
    assert CATEGORIES["Motorbike"] == [30, 31, 32, 33, 34, 35]
    assert CATEGORIES["Skateboard"] == [44, 45, 46]
    assert [part for parts in CATEGORIES.values() for part in parts] == list(range(50))


def test_items(root: Path, spec: dict[str, Any]) -> None:
    built = build(root, spec)
    assert built.labels == LABELS
    assert built.facts["categories"] == dict(CATEGORIES)
    assert built.facts["shapes"]["train"]["Chair"] == 5
    assert [len(built.train), built.validation, len(built.test)] == [15, None, 6]
    for part in (built.train, built.test):
        points, labels = part[1]
        assert points.shape == (32, 4)
        assert points.dtype == torch.float32
        assert labels.shape == (32,)
        assert labels.dtype == torch.int64
        assert set(points[:, 3].tolist()) == {4.0}, "Chair is the fifth category"
        assert set(labels.tolist()) <= {12, 13, 14, 15}
    other = build(root, spec, train="train")
    assert [len(other.train), len(other.validation)] == [9, 6]
    assert other.digest != built.digest


def test_every_point_keeps_its_label(root: Path, spec: dict[str, Any], cloud: Callable) -> None:
    """The first test shape is an airplane: points of the seed 200, labelled 0, 1, 2, 3, 0, ..."""
    whole = cloud(SIZE, 200).astype(np.float64)
    centred = whole - whole.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1).max()
    for built in (build(root, spec), build(root, spec, sampling="with_replacement")):
        points, labels = built.test[0]
        distances = np.linalg.norm(points[:, None, :3].numpy() - unit[None], axis=2)
        assert distances.min(1).max() < 1e-5
        assert np.array_equal(distances.argmin(1) % 4, labels.numpy())


def test_training_points_are_drawn_and_scaled_as_a_whole(root: Path, spec: dict[str, Any]) -> None:
    train = build(root, spec).train
    torch.manual_seed(0)
    pool = train.kept[0][:, :3]
    for _ in range(20):
        points, labels = train[0]
        assert len(points.unique(dim=0)) == 32
        found = torch.cdist(points[:, :3] - points[:1, :3], torch.zeros(1, 3)).max()
        assert 0.5 < found < 2.5
        assert set(points[:, 3].tolist()) == {0.0}
        assert set(labels.tolist()) == {0, 1, 2, 3}
    ratios = torch.stack(
        [torch.pdist(train[0][0][:, :3]).max() / torch.pdist(pool).max() for _ in range(50)]
    )
    assert ratios.max() <= 1.25 + 1e-5
    assert ratios.max() > 1.1
    assert ratios.min() < 0.9


def test_as_published_points_are_drawn_with_replacement(root: Path, spec: dict[str, Any]) -> None:
    """Of 60 points 32 draws meet 60 · (1 - (59/60)³²) = 25 different ones."""
    built = build(root, spec, sampling="with_replacement")
    met = [len(built.test[i][0].unique(dim=0)) for i in range(6)]
    assert np.mean(met) == pytest.approx(25, abs=3)
    assert torch.equal(built.test[2][0], build(root, spec, sampling="with_replacement").test[2][0])
    torch.manual_seed(0)
    met = [len(built.train[i][0].unique(dim=0)) for i in range(15)]
    assert np.mean(met) == pytest.approx(25, abs=3)


def test_small_shapes_repeat_points(root: Path, spec: dict[str, Any], fails: Callable) -> None:
    built = build(root, spec, preprocess={"npoints": 64})
    points, labels = built.test[0]
    assert torch.equal(points[60:], points[:4])
    assert torch.equal(labels[60:], labels[:4])
    assert built.train[0][0].shape == (64, 4)
    strict = build(root, spec, preprocess={"npoints": 64, "pad": "none"})
    fails(lambda: strict.test[0], "test0.txt` has 60 points, and 64 are needed")


@pytest.mark.parametrize("name", ["Chair", "03001627"])
def test_prediction_takes_the_category_from_the_folder(
    root: Path, spec: dict[str, Any], tmp_path: Path, name: str, fails: Callable
) -> None:
    built = build(root, spec)
    read = preprocess.reader(json.loads(json.dumps(built.preprocessing)))
    path = tmp_path / "new" / name / "a.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes((root / "03001627" / "test0.txt").read_bytes())
    assert torch.equal(read(path), built.test[1][0])
    other = path.rename(tmp_path / "new" / "a.txt")
    fails(lambda: read(other), f"the folder of `{other}` tells no category", "such as `Airplane`")
    untold = preprocess.reader(built.preprocessing)(other)
    assert torch.equal(untold, built.test[1][0][:, :3]), "then the head guesses"


def test_what_is_wrong_with_shapenet_part(
    root: Path, spec: dict[str, Any], fails: Callable
) -> None:
    path = root / FOLDERS["Chair"] / "test0.txt"
    built = build(root, spec)
    table = np.loadtxt(path)
    table[7, 6] = 3
    np.savetxt(path, table)
    fails(lambda: built.test[1], f"`{path}` has the part 3, and Chair has 12 to 15")
    path.write_text("1 2 3\n4 5\n")
    fails(lambda: built.test[1], f"`{path}` cannot be read as `.txt`")
    path.unlink()
    fails(lambda: built.test[1], f"there is no file `{path}`")

    listed = root / "train_test_split" / "shuffled_val_file_list.json"
    listed.write_text('["shape_data/999/x"]')
    fails(lambda: build(root, spec), "`shape_data/999/x` of", "is in no folder that")
    listed.write_text("[")
    fails(lambda: build(root, spec), f"`{listed}` cannot be read as `.json`")
    listed.unlink()
    fails(lambda: build(root, spec), f"there is no file `{listed}`")
    names = root / "synsetoffset2category.txt"
    names.write_text("Boat\t123\n")
    fails(lambda: build(root, spec), f"`{names}` has the line `Boat 123`")
    names.unlink()
    fails(lambda: build(root, spec), f"`{names}` is missing")


def test_lists_and_files_that_are_none(root: Path, spec: dict[str, Any], fails: Callable) -> None:
    listed = root / "train_test_split" / "shuffled_train_file_list.json"
    for text in ("7", "[7]", "{}"):
        listed.write_text(text)
        fails(lambda: build(root, spec), f"`{listed}` is no list of shapes")
    listed.write_text("[" * 100_000)
    fails(lambda: build(root, spec), f"`{listed}` cannot be read as `.json`")
    for text, reason in (("# none\n", "cannot be read"), ("\n", "it has no rows of numbers")):
        (root / "a.txt").write_text(text)
        fails(lambda: shapenet_part.read_shape(root / "a.txt", 0), f"`{root / 'a.txt'}`", reason)
