"""DAPT from the command line: pages that show its scales."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result

import onlay
from onlay.cli.in_process import onlay as command

pytest.importorskip("onlay_pointcloud", reason="the backbone is in onlay-pointcloud")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle on the bundled backbone, with an adapter that does something, and a cloud."""
    torch.manual_seed(0)
    task = {"name": "classification", "pool": "cls+prompts"}
    model = onlay.adapt("onlay_points", "dapt", task=task, labels=["chair", "table"])
    with torch.no_grad():
        for name, parameter in model.adapter.named_parameters():
            if "up." in name:
                parameter += torch.randn_like(parameter) / 50
    path = tmp_path_factory.mktemp("dapt")
    model.eval().save_pretrained(path / "bundle")
    np.save(path / "cloud.npy", np.random.default_rng(0).normal(size=(1500, 3)))
    return path


def run(*words: object) -> Result:
    result = command(*words)
    assert result.exit_code == 0, result.output
    return result


def test_inspect_shows_the_scale_of_every_block(folder: Path) -> None:
    out = folder / "cloud.html"
    result = run("inspect", folder / "bundle", folder / "cloud.npy", "--out", out)
    assert "per-token scale: not zero in" in result.output
    page = out.read_text(encoding="utf-8")
    data = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    scale = json.loads(data)["inputs"][0]["signals"][0]
    titles = [*(f"block {block}" for block in range(6)), "mean of the blocks"]
    assert (scale["name"], scale["categories"]) == ("per-token scale", None)
    assert [block["title"] for block in scale["blocks"]] == titles
    model = onlay.load(folder / "bundle")
    groups = model.anatomy.encode(model.anatomy.example(1)).patches.shape[1]
    assert [len(block["summary"]) for block in scale["blocks"]] == [groups] * 7


def test_predict_writes_a_page_for_each_file(folder: Path) -> None:
    run("predict", folder / "bundle", folder / "cloud.npy", "--pages", folder / "pages")
    assert [page.name for page in (folder / "pages").iterdir()] == ["0001-cloud.html"]
