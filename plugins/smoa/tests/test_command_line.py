"""SMoA from the command line: mistakes in one sentence each, and what a bundle shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import onlay as library
from onlay.cli.in_process import onlay

SWIN = {"name": "timm", "model": "swin_tiny_patch4_window7_224", "pretrained": False}


@pytest.fixture
def train(refused_run: Any) -> Any:
    """`train("method.rank=0", ...)`: what is said, and nothing else."""
    return refused_run("smoa")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["method.heads=7"],
            "`method.heads` 7 does not divide the backbone's width 192"
            " (these do: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)",
        ),
        (["method.heads=0"], "method.heads: must be greater than 0"),
        (["method.experts=0"], "method.experts: must be greater than 0"),
        (["method.query_width=0"], "method.query_width: must be greater than 0"),
        (["method.rank=0"], "method.rank: must be greater than 0"),
        (["method.expert=4"], "method.expert: unknown key; did you mean `experts`?"),
    ],
)
def test_bad_settings(train: Any, overrides: list[str], sentence: str) -> None:
    assert train(*overrides) == sentence


@pytest.mark.parametrize("preset", ["ax3d_uniform", "ax3d_dapt-modelnet40"])
def test_a_3d_preset_on_an_image_backbone(train: Any, preset: str) -> None:
    said = train(f"preset={preset}")
    assert said.startswith(f"preset `{preset}` is for `points` data")
    assert "backbone `onlay_vit_64` takes `image` data" in said


def test_a_2d_preset_on_a_point_backbone(train: Any) -> None:
    pytest.importorskip("onlay_pointcloud", reason="the backbone is in onlay-pointcloud")
    said = train("preset=ax2d_vitb", backbone="onlay_points", data="modelnet40")
    assert said.startswith("preset `ax2d_vitb` is for `image` data")
    assert "backbone `onlay_points` takes `points` data" in said


def test_an_unknown_preset(train: Any) -> None:
    said = train("preset=ax3d_dpat")
    assert "method `smoa` has no preset `ax3d_dpat`" in said
    assert "did you mean `ax3d_dapt`?" in said


def test_prompts_on_swin(train: Any) -> None:
    said = train("method.prompts=true", backbone=SWIN)
    assert said == (
        "method `smoa` cannot run on `swin_tiny_patch4_window7_224`: its attention works in windows"
        " of a fixed number of tokens, where the prompts that `method.prompts` asks for have no"
        " place; leave it out"
    )


def test_explain_tells_readings_and_presets() -> None:
    result = onlay("explain", "smoa")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "A reading: with the default heads and rank the count on ViT-B, 171,393" in words
    for name in ("ax2d_vitb", "ax3d_uniform", "ax3d_dapt"):
        assert name in words


@pytest.fixture
def bundle(tmp_path: Path) -> Any:
    """`bundle("onlay_points", "adapter")`: on a bundled backbone, with a library that acts."""

    def make(backbone: str, base: str) -> Path:
        torch.manual_seed(0)
        task = {"name": "classification", "pool": "cls+prompts"}
        method = {"name": "smoa", "base": base, "rank": 4}
        model = library.adapt(backbone, method, task=task, labels=["chair", "table"])
        with torch.no_grad():
            for name, parameter in model.adapter.named_parameters():
                if ".up." in name:
                    parameter += torch.randn_like(parameter) / 10
        model.eval().save_pretrained(tmp_path / "bundle")
        return tmp_path / "bundle"

    return make


def check(bundle: Path, file: Path) -> None:
    """Every block's experts in words and on the page; and a class."""
    result = onlay("inspect", bundle, file, "--out", bundle.parent / "page.html")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if "expert, block" in line]
    assert [line.split(":")[0].strip() for line in lines] == [
        f"expert, block {i}" for i in range(6)
    ]
    assert all("%" in line for line in lines)
    assert "expert" in (bundle.parent / "page.html").read_text(encoding="utf-8")
    result = onlay("predict", bundle, file, "--json")
    assert result.exit_code == 0, result.output
    (answer,) = json.loads(result.stdout)
    assert answer["class"] in ("chair", "table")


def test_a_cloud(bundle: Any, tmp_path: Path) -> None:
    pytest.importorskip("onlay_pointcloud", reason="the backbone is in onlay-pointcloud")
    np.save(tmp_path / "cloud.npy", np.random.default_rng(0).normal(size=(1500, 3)))
    check(bundle("onlay_points", "dapt"), tmp_path / "cloud.npy")


def test_a_picture(bundle: Any, tmp_path: Path) -> None:
    pytest.importorskip("onlay_image", reason="the backbone is in onlay-image")
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    check(bundle("onlay_vit_64", "adapter"), tmp_path / "noise.png")
