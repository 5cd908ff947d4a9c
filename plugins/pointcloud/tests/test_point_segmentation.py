"""A class for each point: losses by hand, further columns, answers and their files."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest
import torch
from part_labels import Small
from torch import Tensor

from onlay.data import Splits
from onlay.errors import ConfigError, DataError
from onlay.task import Input
from onlay_pointcloud.backbones.build import adopt
from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.ply import read_ply
from onlay_pointcloud.data.preprocess import reader
from onlay_pointcloud.tasks.classes_answer import ClassesAnswer
from onlay_pointcloud.tasks.config import PointSegmentationConfig
from onlay_pointcloud.tasks.point_segmentation import PointSegmentationHead, build

LABELS = ("floor", "wall")
# chances 0.75 and 0.25, 0.5 and 0.5, and a point without a class
LOGITS = torch.tensor([[[log(3.0), 0.0], [0.0, 0.0], [9.0, 0.0]]])
CLASSES = torch.tensor([[0, 1, -1]])


def head_of(model: Any, **settings: Any) -> PointSegmentationHead:
    anatomy = adopt(model).anatomy  # type: ignore[union-attr]
    torch.manual_seed(1)
    return build(PointSegmentationConfig(**settings), anatomy, LABELS).eval()


def splits(**given: Any) -> Splits:
    nothing: Any = []
    facts = {"preprocessing": {}, "labels": LABELS} | given
    return Splits(train=nothing, validation=None, test=None, **facts)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (log(4 / 3) + log(2)) / 2),
        ({"class_weights": (1.0, 3.0)}, (log(4 / 3) + 3 * log(2)) / 4),
        ({"class_weights": (0.0, 0.0)}, 0.0),
        ({"loss": "focal"}, (log(4 / 3) / 16 + log(2) / 4) / 2),
        ({"loss": "focal", "gamma": 0.0}, (log(4 / 3) + log(2)) / 2),
        # overlaps 2 · 0.75 / (1.25 + 1) and 2 · 0.5 / (0.75 + 1)
        ({"loss": "dice"}, 1 - (1.5 / 2.25 + 1 / 1.75) / 2),
        ({"loss": "ce_dice"}, (log(4 / 3) + log(2)) / 2 + 1 - (1.5 / 2.25 + 1 / 1.75) / 2),
    ],
)
def test_losses_by_hand(small: Small, settings: dict[str, Any], expected: float) -> None:
    head = head_of(small(), **settings)
    assert head.loss(LOGITS, CLASSES).item() == pytest.approx(expected, abs=1e-6)
    assert head.loss(LOGITS, torch.full((1, 3), -1)) == 0


def test_a_batch_counts_what_its_classes_weigh(small: Small) -> None:
    """Thus batches that have few classes count less when steps are accumulated."""
    head = head_of(small(), class_weights="balanced")
    with pytest.raises(ConfigError, match=r"call `model.prepare\(splits\)`"):
        head.loss(LOGITS, CLASSES)
    with pytest.raises(ConfigError, match="data that count the points"):
        head.prepare(splits())
    head.prepare(splits(facts={"points": {"train": {"floor": 6, "wall": 2}}}))
    assert head.weight_of(CLASSES).item() == pytest.approx(8 / 12 + 8 / 4)
    whole = head.loss(LOGITS, CLASSES) * head.weight_of(CLASSES)
    parts = [(LOGITS[:, n : n + 1], CLASSES[:, n : n + 1]) for n in range(3)]
    apart = sum(head.loss(x, y) * head.weight_of(y) for x, y in parts)
    assert apart == pytest.approx(whole.item(), abs=1e-6)
    both = head_of(small(), loss="ce_dice", class_weights=(1.0, 3.0))  # no class weighs in Dice
    assert both.weight_of(torch.tensor([[1, 0, -1]])).item() == 2


def test_other_targets_are_refused(small: Small) -> None:
    head = head_of(small())
    with pytest.raises(DataError, match="a point has the class 2, and they are 0 to 1, or -1"):
        head.loss(LOGITS, torch.tensor([[0, 2, -1]]))
    with pytest.raises(DataError, match=r"\(1, 3\) points need as many classes, .* \(1, 2\)"):
        head.loss(LOGITS, CLASSES[:, :2])
    with pytest.raises(DataError, match="whole-number kind"):
        head.loss(LOGITS, CLASSES.float())
    with pytest.raises(ValueError, match="`gamma` belongs to `loss: focal`"):
        PointSegmentationConfig(gamma=1.0)
    with pytest.raises(ConfigError, match="`class_weights` has 3 values and there are 2 classes"):
        head_of(small(), class_weights=(1, 1, 1))


def test_colours_reach_the_decoder_in_any_unit(small: Small, clouds: Tensor) -> None:
    """In training they are normalised: 0 to 255 and 0 to 1 say the same."""
    model, colours = small(), torch.rand(2, 64, 3, generator=torch.Generator().manual_seed(3))
    anatomy = adopt(model).anatomy  # type: ignore[union-attr]
    head = head_of(model, columns=3, dropout=0.0).train()

    def logits(columns: Tensor) -> Tensor:
        given = torch.cat([clouds, columns], dim=-1)
        return head(anatomy.encode(given, levels=head.levels)).detach()

    torch.testing.assert_close(logits(255 * colours), logits(colours), rtol=1e-3, atol=1e-3)
    assert (logits(colours) - logits(colours.flip(1))).abs().max() > 1e-2
    with pytest.raises(ConfigError, match=r"have no further columns and `task.columns` is 3"):
        head(anatomy.encode(clouds, levels=head.levels))
    with pytest.raises(ConfigError, match=r"have 1 further columns .*set `task.columns=1`"):
        head_of(model).prepare(splits(preprocessing={"extra": ["intensity"]}))


def test_an_answer_is_a_cloud_with_its_classes(small: Small, tmp_path: Path) -> None:
    """Every point of the file has the class of the nearest that was shown."""
    rows = np.array([[0.0, 0, 0], [0.1, 0, 0], [4.0, 0, 0], [4.2, 0, 0], [4.3, 1, 0]])
    np.save(tmp_path / "room.npy", rows + 100)
    facts = {"npoints": 2, "min_points": 2, "normalize": "centre",
             "class_values": {"floor": [11, 12], "wall": [7]}}  # fmt: skip
    shown = torch.tensor(rows - rows.mean(0)).float()[[3, 0]]
    (answer,) = head_of(small()).predict(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))
    assert answer.line() == "floor 50 %, wall 50 %"
    assert answer.cells(1) == {"class": "floor", "share": "50.0 %"}
    answer = answer.with_input(Input(tmp_path / "room.npy", shown, facts))
    assert answer.record()["classes"] == ("wall", "floor")
    (path,) = answer.write(tmp_path, "room")
    points = read_ply(path, Wanted(extra=("label", "red")), 9).points
    assert np.allclose(points[:, :3], rows + 100)
    assert points[:, 3].tolist() == [11, 11, 7, 7, 7]
    assert points[:, 4].tolist() == [78, 78, 242, 242, 242]
    assert b"comment label 11 floor\ncomment label 7 wall\n" in path.read_bytes()


def test_an_answer_without_its_file_has_the_points_that_were_shown(tmp_path: Path) -> None:
    answer = ClassesAnswer(LABELS, torch.tensor([1, 0]))
    answer = answer.with_input(Input(Path("gone.npy"), torch.eye(3)[:2], {}))
    (path,) = answer.write(tmp_path, "gone")
    points = read_ply(path, Wanted(extra=("label",)), 9).points
    assert points.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0]]


@pytest.mark.parametrize("columns", [None, ["z", "x", "y"]])
@pytest.mark.parametrize(
    ("suffix", "form", "value"), [("las", 6, 200), ("laz", 3, 9), ("las", 3, 40)]
)
def test_of_a_las_file_it_is_the_file_with_other_classes(
    tmp_path: Path, suffix: str, form: int, value: int, columns: list[str] | None
) -> None:
    """Where it was, with all it had; noise stays noise. A format without room gives `.ply`."""
    cloud = laspy.LasData(laspy.LasHeader(point_format=form))
    cloud.x, cloud.y = np.array([5e5, 5e5 + 1, 5e5 + 9]), np.array([4e6, 4e6, 4e6])
    cloud.z, cloud.intensity = np.array([0, 0, 1]), np.array([7, 8, 9])
    cloud.classification = np.array([1, 1, 7])
    cloud.write(path := tmp_path / f"a.{suffix}")
    facts = {
        "npoints": 2,
        "min_points": 2,
        "normalize": "none",
        "columns": columns,
        "class_values": {"floor": [2], "wall": [value]},
    }
    shown = reader(facts)(path)
    answer = ClassesAnswer(LABELS, torch.tensor([1, 0])).with_input(Input(path, shown, facts))
    (tmp_path / "out").mkdir()
    (written,) = answer.write(tmp_path / "out", "a")
    if value == 40:
        assert written.name == "a.ply"
        rows = read_ply(written, Wanted(extra=("label",)), 9).points
        own = {"x": [5e5, 5e5 + 1], "y": [4e6, 4e6], "z": [0, 0]}
        expected = [*(own[axis] for axis in columns or "xyz"), [40, 2]]
        np.testing.assert_allclose(rows.T, expected, rtol=0, atol=1e-6)
        return
    again = laspy.read(written)
    assert written.name == f"a.{suffix}"
    assert np.asarray(again.classification).tolist() == [value, 2, 7]
    assert np.asarray(again.intensity).tolist() == [7, 8, 9]
    np.testing.assert_allclose(again.x, cloud.x, rtol=0, atol=1e-6)
