"""From the command line: pages that show what is a method's own, and refusals in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import onlay
from onlay.cli.in_process import onlay as command
from onlay.testing.said import refusal

pytest.importorskip("onlay_pointcloud", reason="the backbone is in onlay-pointcloud")
SHOWN = {
    "idpt": ("share of the prompt", ["block 4"]),
    "pointgst": ("by the spectrum", [f"block {i}" for i in range(6)]),
    "stag": ("from the side", [f"block {i}" for i in (3, 4, 5)]),
    "ppt": ("prompt of a group", [f"block {i}" for i in range(6)]),
    "point_peft": ("step by geometry", [f"block {i}" for i in range(6)]),
}


@pytest.mark.parametrize("method", SHOWN)
def test_inspect_shows_what_is_the_methods_own(method: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = onlay.adapt("onlay_points", method, labels=["chair", "table"], verify=False)
    with torch.no_grad():
        for name, parameter in model.adapter.named_parameters():
            if "up." in name:
                parameter += torch.randn_like(parameter) / 50
    model.eval().save_pretrained(tmp_path / "bundle")
    np.save(tmp_path / "cloud.npy", np.random.default_rng(0).normal(size=(1100, 3)))
    out = tmp_path / "cloud.html"
    result = command("inspect", tmp_path / "bundle", tmp_path / "cloud.npy", "--out", out)
    assert result.exit_code == 0, result.output
    page = out.read_text(encoding="utf-8")
    data = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    name, titles = SHOWN[method]
    signals = {signal["name"]: signal for signal in json.loads(data)["inputs"][0]["signals"]}
    found = {block["title"]: block["summary"] for block in signals[name]["blocks"]}
    assert [title for title in found if title.startswith("block")] == titles
    assert all(len(found[title]) == 32 and max(found[title]) > 0 for title in titles)
    if method == "idpt":  # shares of all channels
        assert sum(found["block 4"]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["method=idpt", "method.neighbours=33"], "`method.neighbours` 33 is more than the 32 gr"),
        (["method=stag", "method.neighbours=33"], "`method.neighbours` 33 is more than the 32 gr"),
        (["method=point_peft", "method.neighbours=33"], "33 is more than the 32 groups"),
        (["method=ppt", "method.tokens=33"], "`method.tokens` 33 is more than the 32 groups"),
        (["method=idpt", "method.layer=6"], "`method.layer` is 6, and the backbone has blocks 0"),
        (["method=point_peft", "method.prompted=7"], "`method.prompted` 7 is more than the 6 bl"),
        (["method=point_peft", "method.remembered=9", "method.bank=8"], "9 is more than `bank` 8"),
        (["method=point_peft", "method.attention_heads=5"], "18 is no multiple of"),
        (["method=ppt", "backbone=onlay_vit_64"], "method `ppt` needs a backbone that provides `p"),
        (["method=stag", "backbone=onlay_vit_64"], "method `stag` needs a backbone that provides"),
        (
            ["method=ppt", "backbone=onlay_vit_64", "preset=pb_t50_rs"],
            "preset `pb_t50_rs` is for `points` data and backbone `onlay_vit_64` takes `image`",
        ),
        (["method=stag", "preset=vtab1k"], "method `stag` has no preset `vtab1k` (have: obj_bg, "),
    ],
)
def test_what_cannot_be_is_refused(settings: list[str], said: str, tmp_path: Path) -> None:
    for package in ("onlay_train", "onlay_image"):
        pytest.importorskip(package)
    run = tmp_path / "run.yaml"
    data = "{name: shapes, train_size: 20, val_size: 10, test_size: 10}"
    run.write_text(f"backbone: onlay_points\nmethod: idpt\ndata: {data}\n")
    assert said in refusal(command("train", run, *settings, "--dry-run"))
