"""Classes of points trained, stopped, resumed, judged and asked on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from onlay.cli import main
from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.ply import read_ply
from onlay_pointcloud.data.samples import cloud_scenes, labelled_clouds, shapenet_part
from onlay_pointcloud.tasks.point_segmentation import PointSegmentationHead

pytest.importorskip("onlay_train", reason="training comes with onlay-train")

SMALL = "backbone={name: onlay_points, npoints: 64, groups: 8, group_size: 8}"


def command(*words: str, code: int = 0) -> str:
    torch.set_num_threads(1)
    done = CliRunner().invoke(main, words, env={"COLUMNS": "120"})
    assert done.exit_code == code, done.output
    return done.stdout


def weights(run: Path) -> bytes:
    return (run / "bundle" / "adapter_model.safetensors").read_bytes()


def test_clouds_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the second epoch and gone on, bit for bit; predictions are clouds that are data
    again, of the labels that the data had."""
    (data := tmp_path / "data").mkdir()
    settings = labelled_clouds(data)
    words = (
        "train", SMALL, "method=linear", "task={name: point_segmentation, class_weights: balanced}",
        f"data={{name: labelled_clouds, path: {data}, val_size: 4, test_size: 8}}",
        "data.values={0: low, 1: middle, 2: high}", "data.preprocess.augment=rotate",
        "train={epochs: 2, batch_size: 4, trackers: []}",
    )  # fmt: skip
    assert settings["labels"] == ("low", "middle", "high")
    told = command(*words, f"out={tmp_path / 'a'}")
    assert "12 training, 4 validation, 8 test; 3 classes" in told
    assert "test iou_middle" in told
    own, calls = PointSegmentationHead.loss, []

    def stops(head: Any, output: Any, targets: Any) -> Any:
        calls.append(head.training)
        if sum(calls) == 5:
            raise KeyboardInterrupt
        return own(head, output, targets)

    monkeypatch.setattr(PointSegmentationHead, "loss", stops)
    CliRunner().invoke(main, [*words, f"out={tmp_path / 'b'}"])
    assert not (tmp_path / "b" / "bundle").exists()
    monkeypatch.setattr(PointSegmentationHead, "loss", own)
    assert "resumed in epoch 2/2" in command(*words, f"out={tmp_path / 'b'}")
    assert weights(tmp_path / "a") == weights(tmp_path / "b")

    run, out = str(tmp_path / "a"), tmp_path / "out"
    each = [
        json.loads(command("eval", run, f"train.eval_batch_size={n}", "--json")) for n in (1, 7)
    ]
    assert each[0]["miou"] == pytest.approx(each[1]["miou"], abs=1e-6)
    (answer,) = json.loads(
        command("predict", run, str(data / "3.txt"), "--json", "--out", str(out))
    )
    assert len(answer["classes"]) == len(answer["points"]) == 64
    points = read_ply(out / "3.ply", Wanted(extra=("label",)), 9).points
    assert np.allclose(points[:, :3], np.loadtxt(data / "3.txt")[:, :3], atol=1e-9)
    assert set(points[:, 3]) <= {0, 1, 2}
    assert "all is well" in command("data", "check", "data=labelled_clouds", f"data.path={out}")
    judged = json.loads(command("eval", run, f"data.path={out}", "--json"))
    assert judged["accuracy"] == 1.0, "what was predicted is judged by who predicted it"


def test_scenes_are_joined_from_their_blocks(tmp_path: Path) -> None:
    """What `predict` writes of a scene, compared with its labels, is what `eval` tells of it, in
    batches of any size."""
    (data := tmp_path / "data").mkdir()
    cloud_scenes(data)
    run, out = str(tmp_path / "run"), str(tmp_path / "out")
    command(
        "train", SMALL, "method=linear", "task={name: point_segmentation, columns: 6}",
        f"data={{name: cloud_scenes, path: {data}, val_size: 1, test_size: 1, block: 0.8}}",
        "data.place=true", "data.labels=[low, middle, high]", "data.preprocess.extra=[3, 4, 5]",
        "train={epochs: 3, lr: 0.005, batch_size: 4, trackers: []}", "data.epoch_blocks=24",
        "train.warmup_epochs=0", f"out={run}",
    )  # fmt: skip
    (tmp_path / "one").mkdir()
    (data / "0.npy").rename(file := tmp_path / "one" / "0.npy")
    other = ("eval", run, f"data.path={file.parent}", "--json")
    report = tmp_path / "report"
    one = json.loads(command(*other, "train.eval_batch_size=1", "--report", str(report)))
    seven = json.loads(command(*other, "train.eval_batch_size=7"))
    assert "Blocks with most wrong points" in (report / "index.html").read_text()
    assert "blocks by themselves" in json.loads((report / "metrics.json").read_text())["tables"]
    rows = (report / "per_class.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["class", "low", "middle", "high"]
    first = (report / "mistakes.csv").read_text().splitlines()[1]
    assert first.startswith(str(file))
    (answer,) = json.loads(command("predict", run, str(file), "--json", "--out", out))
    assert (len(answer["classes"]), len(answer["shares"]) > 1) == (100, True)
    rows = read_ply(tmp_path / "out" / "0.ply", Wanted(extra=("label",)), 9).points
    truth = np.load(file)
    assert np.allclose(rows[:, :3], truth[:, :3])
    known = truth[:, -1] >= 0
    right = (rows[known, 3] == truth[known, -1]).mean()
    assert (one["accuracy"], seven["accuracy"]) == (pytest.approx(right), pytest.approx(right))
    page = str(tmp_path / "page.html")
    told = CliRunner().invoke(main, ["inspect", run, str(file), "--out", page])
    assert (told.exit_code, "one in the middle is shown" in told.output) == (0, True)
    told = CliRunner().invoke(main, ["embed", run, str(file), "--out", str(tmp_path / "v.npz")])
    assert (told.exit_code, "no one vector for a file" in told.output) == (2, True)


@pytest.mark.parametrize("task", ["point_segmentation", "part_segmentation"])
def test_a_backbone_without_tokens_is_refused(tmp_path: Path, task: str) -> None:
    """In one sentence, and before anything is trained."""
    kind = labelled_clouds if task == "point_segmentation" else shapenet_part
    told = CliRunner().invoke(main, [
        "train", "backbone={name: small_pointnet, npoints: 64}", "method=full", f"task={task}",
        f"data={{name: {kind.__name__}, path: {tmp_path}}}", f"out={tmp_path / 'out'}",
        *(["data.labels=[low, middle, high]"] if kind(tmp_path).get("labels") else []),
    ])  # fmt: skip
    assert told.exit_code == 2, told.output
    assert told.stderr == (
        f"Error: task `{task}` needs a backbone that provides `sequence`, and `small_pointnet`"
        " provides `points`\n"
    )
