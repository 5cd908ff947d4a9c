"""Runs of dense tasks: killed and resumed, in half precision, a picture a step, in two
processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import side_by_side
from rich.console import Console
from safetensors.torch import load_file

from onlay import PluginHost
from onlay.cli.in_process import onlay as command
from onlay.config import resolve
from onlay.config.run import RunConfig
from onlay_dense.data import depth_samples, samples

pytest.importorskip("onlay_train", reason="comes with onlay-train")

VIT = {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 8}
BACKBONE = {"name": "timm", "model": "vit_tiny_patch16_224", "pretrained": False, "drop_path": 0.2}
SMALL = {"decoder": {"name": "segformer", "width": 8}}
KILLER = """
import os, signal
import onlay

@onlay.hookimpl
def step_finished(step):
    if str(step) == os.environ.get("KILL_AT"):
        os.kill(os.getpid(), signal.SIGTERM)
"""


def settings(home: Path, task: str, **train: Any) -> dict[str, Any]:
    """A run on pictures of 20 x 28 pixels, no multiple of the patch."""
    home.mkdir(exist_ok=True)
    name, write = {
        "segmentation": ("mask_folder", samples.mask_folder),
        "depth": ("depth_folder", depth_samples.depth_folder),
    }[task]
    data = {"name": name, **write(home / "data"), "path": str(home / "data")}
    return {
        "backbone": {**BACKBONE, "img_size": [20, 28], "model_kwargs": VIT},
        "method": "bitfit",
        "task": {"name": task, **SMALL},
        "data": data,
        "train": {"epochs": 1, "log_every": 1, "trackers": [], "num_workers": 0, **train},
    }


def weights(config: RunConfig) -> dict[str, bytes]:
    assert config.out is not None
    tensors = load_file(config.out / "bundle" / "adapter_model.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


@pytest.mark.parametrize("task", ["segmentation", "depth"])
def test_a_killed_run_ends_like_an_undisturbed_one(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One picture a step, in bfloat16, blocks recomputed, pictures mirrored by chance."""
    from onlay_train.run import train
    from onlay_train.signals import Stopped

    torch.set_num_threads(1)
    killer = tmp_path / f"killer_of_{task}.py"
    killer.write_text(KILLER)
    host = PluginHost.discover(only="dense,image,train", files=[killer])
    own = {"batch_size": 1, "precision": "bf16", "grad_checkpointing": True}
    given = settings(tmp_path, task, **own)
    given["data"]["preprocess"] = {"augment": "flip", "resize": "squash"}
    quiet, configs = Console(quiet=True), []
    for out in ("a", "b"):
        configs.append(resolve({**given, "out": str(tmp_path / out)}, [], host))
    train(configs[0], host, console=quiet)
    monkeypatch.setenv("KILL_AT", "3")
    with pytest.raises(Stopped):
        train(configs[1], host, console=quiet)
    monkeypatch.delenv("KILL_AT")
    summary = train(configs[1], host, console=quiet)
    assert weights(configs[0]) == weights(configs[1])
    assert all(value == value for value in summary.metrics.values())


def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    """Of pictures that do not divide by two, each counts once."""
    given = settings(tmp_path, "segmentation", batch_size=3, eval_batch_size=1)
    given["data"]["test_size"] = 5 / 16
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps({**given, "out": str(tmp_path / "run")}))
    done = side_by_side("train", str(file))
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "run" / "summary.json").read_text())["metrics"]
    judged = command("eval", tmp_path / "run", "--json")
    assert judged.exit_code == 0, judged.output
    found = json.loads(judged.stdout)
    assert found["samples"] == 5
    for name in ("miou", "accuracy", "iou_thing"):
        assert told[f"test_{name}"] == pytest.approx(found[name], abs=1e-6)
