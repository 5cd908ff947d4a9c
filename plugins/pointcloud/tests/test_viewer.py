"""The page in 3D: what its menu colours, and that a browser draws it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import inlay
from inlay.inspecting import Signal, observe
from inlay.task import PartsPrediction
from inlay_pointcloud.network.point_mae import PointMae
from inlay_pointcloud.viewer import view

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 points in 8 groups, two blocks whose scales are 0 for every other group."""
    torch.manual_seed(0)
    network = PointMae(groups=8, group_size=4, width=24, depth=2, heads=2, embed=24)
    model = inlay.adapt(network, "linear", labels=["chair", "<b>"])
    seen = observe(model, Path("a<b>.ply"), torch.randn(1, 64, 3))
    scale_T = torch.tensor([9.0, *(0.0, 0.5) * 4])  # the class token's is not shown
    signals = tuple(Signal("per-token scale", block, scale_T * (block + 1)) for block in (0, 1))
    out = tmp_path_factory.mktemp("page") / "a.html"
    view(type(seen)(seen.source, seen.inputs, seen.features, seen.prediction, signals), out)
    return out


def buttons(page: Path) -> dict[str, dict]:
    """Label -> what it changes."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'"buttons":(\[.*?\]),"x":0\.02', text, re.DOTALL)
    assert found is not None
    return {b["label"]: b["args"][0] for b in json.loads(found[1])}


def test_the_menu_has_groups_and_every_signal(page: Path) -> None:
    assert list(buttons(page)) == [
        "colour: group",
        "colour: per-token scale, mean of the blocks",
        "colour: per-token scale, block 0",
        "colour: per-token scale, block 1",
    ]


def test_points_of_one_group_have_its_value(page: Path) -> None:
    choices = buttons(page)
    groups = choices["colour: group"]["text"][0]
    scales = choices["colour: per-token scale, mean of the blocks"]["marker.color"][0]
    for group, scale in zip(groups, scales, strict=True):
        assert scale == (0.75 if int(group.split()[1]) % 2 else 0.0)
    assert choices["colour: per-token scale, block 1"]["marker.cmax"] == [1.0]


def test_nothing_is_fetched_and_names_are_no_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<script[^>]+src=", text)
    assert "a<b>.ply" not in text


def test_parts_are_a_colouring(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = PointMae(groups=8, group_size=4, width=24, depth=3, heads=2, embed=24)
    task = {"name": "part_segmentation", "categories": 0, "levels": [0, 1, 2]}
    model = inlay.adapt(network, "linear", task=task, labels=["leg", "seat"])
    seen = observe(model, Path("chair.ply"), torch.randn(1, 32, 3))
    assert isinstance(seen.prediction, PartsPrediction)
    view(seen, tmp_path / "chair.html")
    assert "colour: predicted part" in buttons(tmp_path / "chair.html")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_points_in_colour(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    flags = ["--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    flags += [f"--screenshot={picture}", "--window-size=600,500", "--virtual-time-budget=9000"]
    subprocess.run([CHROMIUM, *flags, page.as_uri()], check=True, capture_output=True, timeout=120)
    pixels = np.asarray(Image.open(picture).convert("RGB"))[120:].astype(int)
    colourful = (pixels.max(-1) - pixels.min(-1)) > 60
    assert colourful.sum() > 200
