"""Classes and depths of pixels from one pass of the backbone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from onlay import PluginHost, adapt
from onlay.cli.in_process import onlay as run
from onlay.errors import ConfigError, DataError
from onlay.model.adapted import AdaptedModel
from onlay.model.answers import Answers
from onlay.testing import tiny_backbone
from onlay_dense.rooms.casting import render
from onlay_dense.rooms.scenes import random_scene

WEIGHTS = "bundle/adapter_model.safetensors"
HOST = PluginHost.discover()
LABELS = ("mask/wall", "mask/floor", "depth/depth")
HEADS = {
    "parts": {"name": "segmentation", "decoder": "linear"},
    "depth": {"name": "depth", "decoder": "linear", "levels": [0]},
}
RUN = {
    "backbone": "onlay_vit_64",
    "method": "bitfit",
    "task": {"name": "several", "heads": HEADS, "weights": {"depth": 0.5}},
    "data": {"name": "rooms", "train_size": 6, "val_size": 2, "test_size": 3},
    "train": {"epochs": 2, "batch_size": 3, "eval_batch_size": 2},
}


def model_of(**settings: Any) -> Any:
    task = {"name": "several", "heads": HEADS, **settings}
    return adapt(tiny_backbone(), "linear", task=task, labels=LABELS, host=HOST).eval()


def targets(size: int = 8) -> dict[str, torch.Tensor]:
    mask = torch.zeros(2, size, size, dtype=torch.long)
    mask[:, size // 2 :] = 1
    return {"mask": mask, "depth": torch.full((2, size, size), 3.0)}


def test_the_backbone_is_passed_once_for_all_heads() -> None:
    model, passes = model_of(), []
    model.backbone.norm.register_forward_hook(lambda *seen: passes.append(seen))
    output = model(torch.randn(2, 3, 8, 8))
    assert len(passes) == 1
    assert {name: tuple(own.shape) for name, own in output.items()} == {
        "parts": (2, 2, 8, 8),
        "depth": (2, 8, 8),
    }


def test_each_head_reads_its_own_levels_and_gives_what_it_gives_alone() -> None:
    model = model_of()
    assert model.head.levels == (0, 1)
    features = model.features(torch.randn(2, 3, 8, 8), levels=(0, 1))
    depth, parts = model.head.heads["depth"], model.head.heads["parts"]
    output = model.answer(features)
    alone = depth(model.features(features.inputs, levels=(0,)))
    assert torch.equal(output["depth"], alone)
    assert torch.equal(output["parts"], parts(model.features(features.inputs, levels=(1,))))


def test_losses_are_added_up_by_their_weights() -> None:
    model = model_of(weights={"depth": 0.25})
    inputs = torch.randn(2, 3, 8, 8)
    output, own = model(inputs), model.head.heads
    parts = own["parts"].loss(output["parts"], targets()["mask"])
    depth = own["depth"].loss(output["depth"], targets()["depth"])
    assert torch.allclose(model.loss((inputs, targets())), parts + 0.25 * depth)


def test_metrics_and_measures_bear_the_heads_names() -> None:
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    head = model_of(main="depth/rmse").head
    metrics = head.metrics()
    metrics.update(
        {"parts": torch.zeros(2, 2, 8, 8), "depth": torch.full((2, 8, 8), 4.0)}, targets()
    )
    told = {name: value.item() for name, value in metrics.compute().items()}
    assert told["depth/rmse"] == 1
    assert told["depth/abs_rel"] == pytest.approx(1 / 3)
    assert told["parts/accuracy"] == 0.5
    assert (head.main_metric, model_of().head.main_metric) == ("depth/rmse", "parts/miou")
    assert head.measures["depth/rmse"].text(1.0) == "1.000 m"
    assert head.measures["parts/miou"].unit == "%"


def test_mistakes_of_all_heads_are_told_in_turn() -> None:
    """One picture is half wrong in its classes, the other in its depths."""
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    from onlay_train.collected import Collected

    head, true = model_of().head, targets()
    parts = torch.nn.functional.one_hot(true["mask"], 2).movedim(-1, 1).float()
    parts[1] = parts[1, :1].expand(2, 8, 8).flip(0) * torch.tensor([1.0, 0.5])[:, None, None]
    depth = true["depth"].clone()
    depth[0] *= 2
    seen = Collected(head)
    for n in (slice(1), slice(1, 2)):
        seen({"parts": parts[n], "depth": depth[n]}, {k: v[n] for k, v in true.items()})
    report = seen.report()
    told = [(mistake.index, mistake.said.split()[0]) for mistake in report.mistakes]
    assert told == [(1, "parts:"), (0, "depth:"), (1, "depth:")]
    assert report.mistakes[1].score == 1
    assert report.mistakes[0].score == 0.5
    names = [table.name for table in report.tables]
    assert names == ["parts-per_class", "parts-confusion", "depth-per_picture"]
    assert report.drawings[0].name == "parts-confusion"
    assert report.measures["parts/trivial_miou"].unit == "%"
    assert report.facts["parts/trivial"] == "wall everywhere"


def test_a_report_tells_heads_and_their_parts_apart() -> None:
    task = {"heads": {**HEADS, "parts": {"name": "segmentation", "decoder": "segformer"}}}
    report = model_of(**task).trainable_report()
    assert [*report.parts] == ["parts/neck", "parts/decoder", "parts", "depth"]
    assert report.parts["depth"] == 16 + 1
    assert report.counts["head"] == 0


def test_flip_tests_of_one_head_leave_the_other_alone() -> None:
    heads = {**HEADS, "depth": {**HEADS["depth"], "flip_test": True}}
    torch.manual_seed(0)
    plain = model_of()
    torch.manual_seed(0)
    both = model_of(heads=heads)
    inputs = torch.randn(2, 3, 8, 8)
    one, other, mirrored = plain(inputs), both(inputs), plain(inputs.flip(-1))
    assert torch.equal(one["parts"], other["parts"])
    wanted = (one["depth"] + mirrored["depth"].flip(-1)) / 2
    assert torch.allclose(other["depth"], wanted)


def test_truths_lie_beside_the_answers_of_their_heads() -> None:
    head = model_of().head
    truths = head.truths(targets())
    told = head.predict({"parts": torch.zeros(2, 2, 8, 8), "depth": torch.full((2, 8, 8), 6.0)})
    titles = [piece.title for piece in Answers("several").compared(told[0], truths[0])]
    assert titles[-2:] == ["parts: wrong: 50.0 %", "depth: off by 100.0 % on average"]
    assert truths[0].line() == "parts: wall 50 %, floor 50 %; depth: 3.000 m (3 to 3)"


def test_what_does_not_fit_is_refused() -> None:
    task = {"name": "several", "heads": HEADS}
    with pytest.raises(DataError, match=r"`task.heads.depth` learns from `depth`, .* have `mask`"):
        adapt(tiny_backbone(), "linear", task=task, labels=LABELS[:2], host=HOST)
    with pytest.raises(ConfigError, match="`weights` names `deep`, and the heads are `parts`"):
        model_of(weights={"deep": 1.0})
    with pytest.raises(ConfigError, match="names no head"):
        model_of(heads={"a.b": "depth"})
    with pytest.raises(ConfigError, match=r"`task.heads.train`: give the head another name"):
        model_of(heads={"train": HEADS["depth"]})


def trained(tmp_path: Path, name: str) -> Any:
    (tmp_path / "run.yaml").write_text(json.dumps(RUN))
    return run("train", tmp_path / "run.yaml", f"out={tmp_path / name}")


def test_a_run_that_was_stopped_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onlay_train", reason="comes with onlay-train")
    done = trained(tmp_path, "whole")
    assert done.exit_code == 0, done.output
    assert "; 7 names of classes" in done.output
    after_step = AdaptedModel.after_step

    def stopped(model: AdaptedModel, step: int, total: int) -> None:
        after_step(model, step, total)
        if step == 3:  # of 4
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(AdaptedModel, "after_step", stopped)
        assert trained(tmp_path, "parts").exit_code == 128 + signal.SIGTERM
    done = trained(tmp_path, "parts")
    assert "resumed in epoch 2/2, at step 3" in done.output
    one, other = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "parts"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    records = [json.loads(x) for x in (tmp_path / "parts/metrics.jsonl").read_text().splitlines()]
    assert {"validation_parts/miou", "validation_depth/abs_rel"} <= records[-1].keys()
    predicts(tmp_path / "parts", tmp_path)
    report = tmp_path / "report"
    judged = run("eval", tmp_path / "parts", "--own-size", "--report", report, "--json")
    told = json.loads(judged.stdout)
    summary = json.loads((tmp_path / "parts/summary.json").read_text())["metrics"]
    for name in ("parts/miou", "depth/abs_rel"):  # rooms are rendered in the model's size
        assert told[f"own_size_{name}"] == pytest.approx(summary[f"test_{name}"], rel=1e-5)
    assert "The worst of each head in turn" in (report / "index.html").read_text()
    assert (report / "depth-per_picture.csv").exists()


def predicts(out: Path, folder: Path) -> None:
    chance = np.random.default_rng(0)
    picture = render(random_scene(chance), 40, 60, chance).picture
    Image.fromarray(picture).save(folder / "room.png")
    told = run("predict", out, folder / "room.png", "--json", "--out", folder / "answers")
    assert told.exit_code == 0, told.output
    (record,) = json.loads(told.stdout)
    assert record["depth"]["size"] == [64, 64]
    assert sum(record["parts"]["shares"].values()) == pytest.approx(1)
    names = sorted(path.name for path in (folder / "answers").iterdir())
    assert names == ["room-depth-depth-colours.png", "room-depth-depth.png", "room-parts.png"]
