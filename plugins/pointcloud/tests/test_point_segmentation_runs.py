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
from onlay_pointcloud.data.samples import labelled_clouds
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
