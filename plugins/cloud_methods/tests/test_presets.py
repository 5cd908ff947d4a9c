"""Presets as runs: what a user writes beside them, resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from onlay import PluginHost
from onlay.config.run import RunConfig

HOST = PluginHost.discover()
SCANS = {"obj_bg": (2048, 128), "obj_only": (2048, 128), "pb_t50_rs": (2048, 128)}
SIZES = {**SCANS, "modelnet40": (1024, 64), "fewshot": (1024, 64)}


@pytest.mark.parametrize("method", ["idpt", "pointgst", "stag", "ppt", "point_peft"])
def test_every_recipe_is_a_run(method: str, tmp_path: Path) -> None:
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    turned = method in ("idpt", "ppt", "point_peft")
    assert set(HOST.methods[method].presets) == set(SIZES)
    for preset in SIZES:
        given = {
            "backbone": {"name": "point_mae", "pretrained": False},
            "method": method,
            "preset": preset,
            "data": {"path": str(tmp_path)},
        }
        run = RunConfig.model_validate(given, context={"host": HOST})
        sizes = (8192, 512) if (method, preset) == ("ppt", "modelnet40") else SIZES[preset]
        assert (run.backbone.npoints, run.backbone.groups) == sizes
        augment = "rotate" if turned and preset in SCANS else "scale_translate"
        assert run.data.preprocess.augment == augment
        assert (run.task.hidden, run.task.hidden_norm, run.task.dropout) == (
            (256, 256),
            "batch",
            0.5,
        )
        assert run.task.activation == ("gelu" if method == "ppt" else "relu")
        assert run.backbone.drop_path == (0.3 if method == "ppt" else 0.1)
        train = run.train
        assert (train.epochs, train.selection) == (150 if preset == "fewshot" else 300, "last")
        assert (train.min_lr, train.warmup_lr, train.clip_grad) == (1e-6, 1e-6, 10.0)
