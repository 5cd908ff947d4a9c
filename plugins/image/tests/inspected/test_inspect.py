"""None"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from inspected_pages import data
from PIL import Image
from torch import nn

import onlay
from onlay import PluginHost
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay_image.data.preprocess import geometry
from onlay_image.viewer import thumbnail, view


def test_each_patch_has_its_experts_though_prompts_are_in_front(page: Path) -> None:
    experts, strengths, change = data(page)["inputs"][0]["signals"]
    assert (change["name"], change["still"]) == (CHANGE, False)  # its tokens are read by all
    assert (experts["name"], experts["categories"]) == ("expert", 4)
    assert [block["title"] for block in experts["blocks"]] == [f"block {b}" for b in range(6)]
    for block in experts["blocks"]:
        assert block["grid"] == [8, 8]
        assert block["values"][-3:] == [[3, 0, 3], [2, 3, 2], [1, 2, 1]]
        assert block["summary"] == [0, 3, 2, 1] * 16
        assert set(block["agreement"]) == {0.6667}
    # The class token is in front of block 0, and five prompts more in front of block 5.
    assert strengths["blocks"][0]["summary"] == list(range(1, 65))
    assert strengths["blocks"][5]["summary"] == list(range(6, 70))
    assert strengths["range"] == [0, 69]


def test_the_picture_is_the_crop_that_the_network_saw(page: Path, photograph: Path) -> None:
    kind, picture = data(page)["inputs"][0]["picture"].split(",")
    assert kind == "data:image/png;base64"
    facts = onlay.adapt("onlay_vit_64", "linear", num_classes=2).preprocessing
    drawn = np.asarray(Image.open(BytesIO(b64decode(picture))))
    crop = geometry(facts)((Image.open(photograph),)).permute(1, 2, 0).numpy()
    assert drawn.shape == (64, 64, 3)
    assert np.array_equal(drawn, crop)


def test_nothing_is_fetched_and_names_are_no_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|link)[^>]+(src|href)=|https?://", text)
    assert "<h1>a&amp;b.png <span>" in text


@pytest.mark.parametrize(
    ("name", "grids"),
    [("swin_padded", [[10, 10]] * 2 + [[5, 5]] * 2), ("reg4_gap", [[2, 2]] * 2)],
)
def test_maps_of_stages_and_registers(
    name: str, grids: list[list[int]], make: Callable[..., nn.Module], host: PluginHost, tmp_path
) -> None:
    model = onlay.adapt(make(name), "choosy", num_classes=2, host=host)
    seen = observe(model, Path("x.png"), model.anatomy.example(1))
    view([seen], tmp_path / "x.html")
    strengths = data(tmp_path / "x.html")["inputs"][0]["signals"][-2]
    blocks = [block for block in strengths["blocks"] if block["title"].startswith("block")]
    assert [block["grid"] for block in blocks] == grids
    for block, (height, width) in zip(blocks, grids, strict=True):
        first = block["summary"][0]
        assert block["summary"] == [first + n for n in range(height * width)]
    assert blocks[0]["summary"][0] == (0 if "swin" in name else 4)


def test_each_of_two_inputs_has_its_picture(two: Path) -> None:
    shades = []
    for record in data(two)["inputs"]:
        png = b64decode(record["picture"].partition(",")[2])
        shades.append(np.unique(np.asarray(Image.open(BytesIO(png)))).tolist())
    assert shades == [[191], [64]]  # 255 (0.5 + 0.25) and 255 (0.5 - 0.25)
    assert data(two)["differ"]["kernels"] == pytest.approx(
        {"block 0": 2, "block 1": 0.5 / 0.75, "block 2": 0.5 / 0.75}
    )


def test_a_thumbnail_shows_the_pixels_that_the_backbone_got() -> None:
    """Red 200, green 100, blue 0 of 255; wide pictures keep their form."""
    seen = torch.tensor([200.0, 100.0, 0.0]).div(255).sub(0.5).div(0.25)[:, None, None]
    address = thumbnail(seen.expand(3, 100, 400), {"mean": [0.5] * 3, "std": [0.25] * 3})
    start, _, data = address.partition(",")
    assert start == "data:image/png;base64"
    picture = Image.open(BytesIO(b64decode(data)))
    assert picture.size == (224, 56)
    assert picture.getpixel((10, 10)) == (200, 100, 0)
