"""A training on a device that is not the CPU: nothing is made on the wrong one, whatever a run asks
for, and weights and metrics are the CPU's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from other_device import on_another_device
from safetensors.torch import load_file

from onlay_train.run import train


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("train.model_ema_decay=0.9", "train.selection=best_val", "train.evaluate_train=true"),
        ("train.grad_accum_steps=2", "task.class_weights=[1,2,3,4]"),
        ("train.opt=adagrad", "train.clip_grad=0.1", "task.head_norm=batch"),
        ("train.cache=prefix", "method.last_blocks=1", "data.augment=false"),
        ("method=full", "train.layer_decay=0.5", "train.opt=sgd"),
    ],
    ids=["plain", "averages", "weights", "state", "kept", "full"],
)
def test_a_run_elsewhere_is_the_run_here(configure, host, quiet, tmp_path, words):
    own = (*words, "train.num_workers=0", "train.epochs=2", f"train.cache_dir={tmp_path / 'store'}")
    train(configure(*own, out="here"), host, console=quiet)
    with on_another_device():
        summary = train(configure(*own, f"train.cache_dir={tmp_path / 'b'}", out="there"), host)
    assert summary.device == "xla"
    here, there = (tmp_path / out for out in ("here", "there"))
    assert _records(there) == [pytest.approx(record) for record in _records(here)]
    expected, found = (load_file(f / "bundle" / "adapter_model.safetensors") for f in (here, there))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, atol=1e-5), name


def _records(folder: Path) -> list[dict[str, Any]]:
    found = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in each.items() if not k.endswith("seconds")} for each in found]
