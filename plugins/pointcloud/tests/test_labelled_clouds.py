"""Clouds with a class for each point: where labels stand in files, what numbers mean, refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest
import torch
from pypcd4 import PointCloud
from torch.utils.data import Dataset

from onlay.config.fold import FoldConfig
from onlay.errors import DataError
from onlay.reading.folds import one_fold
from onlay_pointcloud.data.labelled_clouds import build, measure, whole
from onlay_pointcloud.data.labelled_config import LabelledCloudsConfig
from onlay_pointcloud.data.preprocess import reader

SPEC = {"npoints": 16, "groups": 4, "group_size": 4, "normalize": "none"}
POINTS = np.random.default_rng(0).random((20, 3)).round(2)
CLASSES = (3 * POINTS[:, 1]).astype(int)
"""The height of each, in thirds."""


def _txt(path: Path, points: np.ndarray, classes: np.ndarray) -> None:
    np.savetxt(path, np.column_stack([points, classes]))


def _csv(path: Path, points: np.ndarray, classes: np.ndarray) -> None:
    rows = [f"{c},{x},{y},{z}" for (x, y, z), c in zip(points, classes, strict=True)]
    path.write_text("\n".join(["Classification,x,y,z", *rows]))


def _npy(path: Path, points: np.ndarray, classes: np.ndarray) -> None:
    np.save(path, np.column_stack([points, classes]))


def _npz(path: Path, points: np.ndarray, classes: np.ndarray) -> None:
    np.savez(path, points=points, labels=classes[:, None])


def _las(path: Path, points: np.ndarray, classes: np.ndarray) -> None:
    cloud = laspy.LasData(laspy.LasHeader(point_format=6, version="1.4"))
    cloud.x, cloud.y, cloud.z = points.T
    cloud.classification = classes.astype(np.uint8)
    cloud.write(path)


def _pcd(path: Path, points: np.ndarray, classes: np.ndarray) -> None:
    fields, types = ("x", "y", "z", "label"), (np.float32, np.float32, np.float32, np.uint32)
    PointCloud.from_points([*points.T, classes], fields, types).save(path)


def _ply(path: Path, points: np.ndarray, classes: np.ndarray) -> None:
    rows = [f"{x} {y} {z} {c} {9 * c}" for (x, y, z), c in zip(points, classes, strict=True)]
    faces = ["element face 1", "property list uchar int vertex_indices", "end_header"]
    vertices = [f"property float {axis}" for axis in "xyz"]
    vertices += ["property ushort label", "property uchar red"]
    header = ["ply", "format ascii 1.0", f"element vertex {len(rows)}", *vertices, *faces]
    path.write_text("\n".join([*header, *rows, "3 0 1 2\n"]))


WRITERS = {"txt": _txt, "csv": _csv, "npy": _npy, "npz": _npz, "las": _las, "laz": _las,
           "pcd": _pcd, "ply": _ply}  # fmt: skip


def config(path: Path, **settings: Any) -> LabelledCloudsConfig:
    return LabelledCloudsConfig(path=path, **settings)


@pytest.mark.parametrize("suffix", WRITERS)
def test_labels_of_every_format_stay_with_their_points(tmp_path: Path, suffix: str) -> None:
    for n in range(5):
        WRITERS[suffix](tmp_path / f"{n}.{suffix}", POINTS + np.eye(3)[0] * n, CLASSES)
    splits = build(config(tmp_path, val_size=0, preprocess={"augment": "rotate"}), SPEC, 0)
    las = suffix in ("las", "laz")
    names = ("never classified", "unclassified", "ground") if las else ("0", "1", "2")
    assert splits.labels == names
    below = (POINTS[:, 1].min() + POINTS[:, 1].max()) / 2 if las else 0
    for part in (splits.test, splits.train.plain, splits.train):  # type: ignore[union-attr]
        for n in range(len(part)):
            cloud, classes = part[n]
            assert (cloud.shape, classes.shape, classes.dtype) == ((16, 3), (16,), torch.int64)
            assert classes.tolist() == (3 * (cloud[:, 1] + below + 1e-3)).long().tolist()
    counts = np.bincount(CLASSES) * 4
    assert splits.facts["points"]["train"] == dict(zip(names, counts.tolist(), strict=True))


@pytest.mark.parametrize("extra", [[], ["red"]])
def test_of_a_mesh_prediction_reads_the_vertices_of_training(
    tmp_path: Path, extra: list[str]
) -> None:
    """With their colours; a file without classes as well."""
    for n in range(5):
        _ply(tmp_path / f"{n}.ply", POINTS + np.eye(3)[0] * n, CLASSES)
    splits = build(config(tmp_path, val_size=0, preprocess={"extra": extra}), SPEC, 0)
    part: Any = splits.test
    shown, (source, *_) = part[0][0], part.clouds.sources
    source.write_text(source.read_text().replace("ushort label", "ushort other"))
    assert torch.equal(reader(splits.preprocessing)(source), shown)
    scenes = {"scenes": {"block": 9.0, "stride": 9.0, "up": 2}}
    whole_scene = reader(splits.preprocessing | scenes)(source)
    assert whole_scene.whole.shape == (20, 3 + len(extra))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five clouds of the labels 0, 7, 8 and, at one point each, -1."""
    for n in range(5):
        classes = np.resize([0, 7, 8], 20)
        classes[n] = -1
        _npy(tmp_path / f"{n}.npy", POINTS + n, classes)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "labels", "counts"),
    [
        ({}, ("0", "7", "8"), (33, 33, 29)),
        ({"values": {0: "low", 7: "high", 8: "high"}}, ("low", "high"), (33, 62)),
        ({"values": {0: "low", 7: "mid", 8: "high"}, "void": ["mid"]}, ("low", "high"), (33, 29)),
        ({"values": {7: "mid", 8: "high"}, "void": [0], "labels": ("high", "mid")},
         ("high", "mid"), (29, 33)),
        ({"void": [0, 8]}, ("7",), (33,)),
    ],
)  # fmt: skip
def test_what_numbers_mean(
    folder: Path, settings: dict[str, Any], labels: Sequence[str], counts: Sequence[int]
) -> None:
    """-1 is nothing, and neither is what is void."""
    splits = build(config(folder, val_size=0, test_size=0, **settings), SPEC, 0)
    assert splits.labels == labels
    assert splits.facts["points"] == {"train": dict(zip(labels, counts, strict=True))}
    found = torch.stack([classes for _, classes in splits.train])
    assert (int(found.min()), int(found.max())) == (-1, len(labels) - 1)
    meant = settings.get("values", {0: "0", 7: "7", 8: "8"})
    numbers = {name: [n for n, own in meant.items() if own == name] for name in labels}
    assert splits.preprocessing["class_values"] == numbers


def test_parts_are_folders_or_files(folder: Path) -> None:
    splits = build(
        config(folder, val_size=0, parts={"train": ["0", "1.npy"], "test": "4"}), SPEC, 0
    )
    assert (len(splits.train), len(splits.test)) == (2, 1)  # type: ignore[arg-type]
    assert splits.facts["notes"][0] == f"left out: 2 clouds in no part of `{folder}`"
    for n, part in enumerate(("train", "train", "Validation", "test", "test")):
        (folder / part).mkdir(exist_ok=True)
        (folder / f"{n}.npy").rename(folder / part / f"{n}.npy")
    splits = build(config(folder), SPEC, 0)
    assert [len(x) for x in (splits.train, splits.validation, splits.test)] == [2, 1, 2]  # type: ignore[arg-type]


def test_files_are_dealt_to_folds(folder: Path) -> None:
    """The one that is tested on is shown as evaluation shows it."""
    splits = build(config(folder, val_size=0, test_size=0), SPEC, 0)
    fold = one_fold(splits, FoldConfig(fold=1, of=5))
    assert (len(fold.train), len(fold.test)) == (4, 1)  # type: ignore[arg-type]
    shown = [splits.train.plain[n] for n in range(5)]  # type: ignore[attr-defined]
    assert [torch.equal(fold.test[0][1], classes) for _, classes in shown].count(True) == 1  # type: ignore[index]


def test_points_of_the_classes_are_counted_for_each_fold(folder: Path) -> None:
    """`class_weights: balanced` sees nothing of what is tested."""
    splits = build(config(folder, val_size=0, test_size=0), SPEC, 0)
    whole = Counter(splits.facts["points"]["train"])
    for number in range(5):
        fold = one_fold(splits, FoldConfig(fold=number, of=5))
        train, test = (Counter(fold.facts["points"][part]) for part in ("train", "test"))
        assert train + test == whole
        assert 0 < test.total() < train.total()
    uncounted = one_fold(
        replace(splits, train=Unlike(splits.train)),
        FoldConfig(fold=0, of=5),  # type: ignore[arg-type]
    )
    assert uncounted.facts["points"] == {}


class Unlike(Dataset[Any]):
    """A part that does not say what its items have."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> Any:
        return self.part[index]


def test_a_finished_model_judges_them_by_its_own_classes(folder: Path) -> None:
    settings = config(folder, values={0: "low", 7: "mid", 8: "high"})
    found = whole(settings, SPEC, ("high", "other", "low", "mid"))
    classes = torch.cat([found.everything[n][1] for n in range(5)])
    assert set(classes.tolist()) == {-1, 0, 2, 3}
    with pytest.raises(DataError, match="have `mid`, which this run does not know"):
        whole(settings, SPEC, ("low", "high"))


def test_mistakes_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    def refused(match: str, make: Callable[[], object] | None = None, **settings: Any) -> None:
        with pytest.raises(DataError, match=match) as caught:
            (make or (lambda: build(config(folder, **settings), SPEC, 0)))()
        assert "\n" not in str(caught.value)

    refused(r"npy` has 6 points of the label 8, .* no class \(known: `-1 void`, `0 low`, `7 mid`",
            values={0: "low", 7: "mid"})  # fmt: skip
    refused(r"`data.void` names `sky`, and the classes are `low`", values={0: "low"}, void=["sky"])
    refused("has no column `tree`|no names, so that there is no `tree`", label="tree")
    refused(r"it has no column 9, its 4 are 0 to 3", label=9)
    refused(r"has the label 0.\d+ \(point \d+\), and classes are whole numbers", label=0)
    refused(
        "`data.parts` names `room`, which is neither a folder nor a cloud", parts={"train": "room"}
    )
    np.save(folder / "0.npy", POINTS)
    refused("0.npy` .*it has 3 columns, and the classes of its points would be one more")
    (folder / "0.npy").unlink()
    (folder / "0.csv").write_text("x,y,z,intensity\n0,0,0,1\n1,0,0,1\n")
    refused(
        r"none of its columns is called `label` or `class` \(have: `x`, `y`, `z`, `intensity`\)"
    )
    with pytest.raises(DataError, match="none of its columns"):
        measure(config(folder))(folder / "0.csv")
    assert measure(config(folder))(folder / "1.npy") == (20,)
    (empty := tmp_path / "empty").mkdir()
    refused("holds no clouds", lambda: build(config(empty), SPEC, 0))
