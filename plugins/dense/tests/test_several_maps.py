"""Classes and depths of pixels from one pass of the backbone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from onlay import PluginHost, adapt
from onlay.bundle import load
from onlay.cli.in_process import onlay as run
from onlay.errors import ConfigError, DataError
from onlay.testing import tiny_backbone
from onlay_dense.rooms.casting import render
from onlay_dense.rooms.scenes import random_scene

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


def test_a_run_is_trained_stopped_resumed_and_predicts(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(json.dumps(RUN))
    out = tmp_path / "out"
    half = ("train", tmp_path / "run.yaml", f"out={out}", "train.epochs=2")
    done = run(*half)
    assert done.exit_code == 0, done.output
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["epoch"] == 2
    assert {"validation_parts/miou", "validation_depth/abs_rel"} <= records[-1].keys()
    model = load(out / "bundle", host=HOST)
    scene = np.random.default_rng(0)
    Image.fromarray(render(random_scene(scene), 40, 60, scene).picture).save(tmp_path / "room.png")
    told = run("predict", out, tmp_path / "room.png", "--json", "--out", tmp_path / "answers")
    assert told.exit_code == 0, told.output
    (record,) = json.loads(told.stdout)
    assert record["depth"]["size"] == [64, 64]
    assert sum(record["parts"]["shares"].values()) == pytest.approx(1)
    names = sorted(path.name for path in (tmp_path / "answers").iterdir())
    assert names == [
        "room-depth-depth-colours.png",
        "room-depth-depth.png",
        "room-parts.png",
    ]
    assert model.head.labels[-1] == "depth/depth"
