"""`kernel_norm: filter` from the first step to the exported program, as a user goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import onlay as library
from onlay.cli.in_process import onlay

KILLER = """
import os, signal
import onlay

@onlay.hookimpl
def step_finished(step):
    if str(step) == os.environ.get("KILL_AT"):
        os.kill(os.getpid(), signal.SIGTERM)
"""
WEIGHTS = "adapter_model.safetensors"
SWIN = {
    "name": "timm",
    "model": "swin_tiny_patch4_window7_224",
    "pretrained": False,
    "img_size": 32,
    "model_kwargs": {"embed_dim": 16, "depths": [1], "num_heads": [2], "window_size": 4},
}


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """`run("a")`: three steps on six pictures, stopped where `KILL_AT` says."""
    pytest.importorskip("onlay_train", reason="comes with onlay-train")
    pytest.importorskip("onlay_image", reason="the backbone is timm's")
    from onlay_image.data.samples import draw

    for number in range(8):
        draw(tmp_path / "photos" / "train" / "ab"[number % 2] / f"{number}.png", number)
    method = {"name": "iconformer", "rank": 4, "kernel_norm": "filter"}
    given = {
        "backbone": SWIN,
        "method": method,
        "data": {"name": "image_folder", "path": str(tmp_path / "photos"), "val_size": 2},
        "train": {"epochs": 1, "batch_size": 2, "log_every": 1, "trackers": [], "lr": 0.05},
    }
    (tmp_path / "run.json").write_text(json.dumps(given))
    (tmp_path / "killer_of_filters.py").write_text(KILLER)
    plugin = ("--plugin", str(tmp_path / "killer_of_filters.py"))

    def once(out: str) -> Any:
        return onlay(*plugin, "train", tmp_path / "run.json", f"out={tmp_path / out}")

    return once


def test_on_swin(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped and resumed it ends like an undisturbed run; the program, from rows to a map,
    computes the same for any batch."""
    assert run("whole").exit_code == 0
    monkeypatch.setenv("KILL_AT", "2")
    assert run("stopped").exit_code == 128 + 15
    monkeypatch.delenv("KILL_AT")
    again = run("stopped")
    assert again.exit_code == 0, again.output
    files = [
        tmp_path / out / "bundle" / "adapter_model.safetensors" for out in ("whole", "stopped")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    model = library.load(tmp_path / "whole").eval()
    assert sum(n.endswith("kernel_norm.deviation") for n in model.trained_state()) == 1
    merged = onlay("merge", tmp_path / "whole", "--out", tmp_path / "swin.pt2")
    assert merged.exit_code == 0, merged.output
    assert "partly folded in, for program" in merged.output
    assert "its kernels depend on the input" in merged.output
    program = torch.export.load(tmp_path / "swin.pt2").module()
    for batch in (1, 3):
        images = torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            torch.testing.assert_close(program(images), model(images), rtol=1e-5, atol=1e-5)
