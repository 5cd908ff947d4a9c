"""Part segmentation trained, saved, and asked on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from part_labels import LABELS, Small, splits
from torch import Tensor

import onlay
from onlay.bundle.reading import read_manifest, read_tensors
from onlay.cli import main
from onlay.host import PluginHost


def halves(count: int) -> tuple[Tensor, Tensor]:
    """Clouds (count, 64, 4) of either category, whose parts are slices along x."""
    points = 2 * torch.rand(count, 64, 3, generator=torch.Generator().manual_seed(5)) - 1
    category = torch.arange(count) % 2
    points[category == 1] *= torch.tensor([1.0, 0.2, 0.2])
    x = points[..., 0]
    parts = torch.where(category[:, None] == 0, x > 0, 2 + (x > -0.3).int() + (x > 0.3).int())
    column = category[:, None, None].expand(count, 64, 1)
    return torch.cat([points, column], dim=-1), parts.long()


def test_training_a_bundle_and_its_metrics(small: Small, host: PluginHost, tmp_path: Path) -> None:
    """Learnt within 16 steps; the bundle alone evaluates and predicts alike, categories and all."""
    pytest.importorskip("torchmetrics", reason="metrics come with onlay-train")
    network = small()
    task = {"name": "part_segmentation", "categories": 2}
    torch.manual_seed(0)
    model = onlay.adapt(network, "linear", task=task, labels=LABELS, host=host)
    model.prepare(splits())
    optimizer = torch.optim.AdamW(model.trained_parameters().values(), lr=4e-3)
    clouds, parts = halves(12)
    for _ in range(16):
        optimizer.zero_grad()
        model.train().loss((clouds, parts)).backward()
        optimizer.step()
    test, truth = (x[-8:] for x in halves(40))

    def measured(model: Any) -> tuple[Tensor, dict[str, float]]:
        with torch.no_grad():
            output = model.eval()(test)
        metrics = model.head.metrics()
        metrics.update(output, truth)
        return output, {name: float(value) for name, value in metrics.compute().items()}

    output, scores = measured(model)
    assert model.head.main_metric in scores
    assert scores["instance_miou"] > 0.7
    assert scores["accuracy"] > 0.85
    bundle = model.save_pretrained(tmp_path / "bundle")
    model.detach()
    manifest = read_manifest(bundle)
    again = onlay.adapt(network, "linear", task=manifest.task, labels=manifest.labels, host=host)
    again.load_trained_state(read_tensors(bundle, manifest))
    same, same_scores = measured(again)
    assert torch.equal(same, output)
    assert same_scores == scores
    answers = again.head.predict(same)
    assert [a.parts[0].split()[0] for a in answers] == ["Mug", "Rocket"] * 4
    with torch.no_grad():
        untold = again.head.predict(again(test[..., :3]))
    assert [a.parts[0].split()[0] for a in untold] == ["Mug", "Rocket"] * 4


def test_predict_on_the_command_line(host: PluginHost, tmp_path: Path) -> None:
    backbone = {
        "name": "point_mae", "pretrained": False, "npoints": 64, "groups": 8, "group_size": 8,
    }  # fmt: skip
    preprocessing = {"modality": "points", "npoints": 64, "min_points": 64, "normalize": "none"}
    model = onlay.adapt(
        backbone, "linear", task={"name": "part_segmentation", "categories": 0},
        labels=["left", "right"], preprocessing=preprocessing, host=host,
    )  # fmt: skip
    bundle = model.save_pretrained(tmp_path / "bundle")
    points = np.random.default_rng(0).random((64, 3)).astype(np.float32)
    np.save(tmp_path / "cloud.npy", points)

    def onlay_predict(*words: str) -> str:
        arguments = ["predict", str(bundle), str(tmp_path / "cloud.npy"), *words]
        result = CliRunner().invoke(main, arguments, env={"ONLAY_PLUGINS": "pointcloud"})
        assert result.exit_code == 0, result.output
        return result.stdout

    (row,) = json.loads(onlay_predict("--json"))
    assert np.allclose(np.sort(row["points"], 0), np.sort(points, 0), atol=1e-6)
    with torch.no_grad():
        logits = model.eval()(torch.tensor(row["points"])[None])
    (answer,) = model.head.predict(logits)
    assert row["parts"] == list(answer.parts)
    assert row["shares"] == {p: row["parts"].count(p) / 64 for p in answer.shares}
    header, line = onlay_predict("--csv").splitlines()
    assert header.startswith("path,part,share")
    part, share = next(iter(answer.shares.items()))
    assert line.split(",")[1:3] == [part, f"{share:.6f}"]
    assert "share" in onlay_predict()
