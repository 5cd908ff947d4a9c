"""The page in 3D: what its colours mean, and that a browser draws it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

import onlay
from onlay.inspecting import Observation, Picture, Signal
from onlay.pages.observing import observe
from onlay_pointcloud.network.point_mae import PointMae
from onlay_pointcloud.tasks.answer import PartsAnswer
from onlay_pointcloud.thumbnail import thumbnail
from onlay_pointcloud.viewer import view

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 points in 8 groups; two blocks, at the second of which there is a prompt."""
    torch.manual_seed(0)
    network = PointMae(groups=8, group_size=4, width=24, depth=2, heads=2, embed=24)
    model = onlay.adapt(network, "linear", labels=["chair", "<b>"])
    seen = observe(model, Path("a<b>.ply"), torch.randn(1, 64, 3))
    layout = seen.features.layout
    scale_T1 = torch.tensor([9.0, *(0.0, 0.5) * 4])[:, None]  # the class token's is not shown
    expert_TK = torch.tensor([[0, 0, 0], *[[3, group % 2, 3] for group in range(8)]]).float()
    later_TK = torch.cat([torch.zeros(1, 3), expert_TK % 3])
    signals = (
        Signal("per-token scale", 0, scale_T1, None, layout),
        Signal("expert", 0, expert_TK, 4, layout),
        Signal("per-token scale", 1, 2 * scale_T1, None, layout),
        Signal("expert", 1, later_TK, 4, layout),
    )
    out = tmp_path_factory.mktemp("page") / "a.html"
    view([replace(seen, signals=signals)], out)
    return out


def data(page: Path) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>',
        page.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found is not None
    (only,) = json.loads(found[1])["inputs"]
    return only


def of_parts(name: str, parts: Sequence[str]) -> Observation:
    torch.manual_seed(0)
    network = PointMae(groups=8, group_size=4, width=24, depth=3, heads=2, embed=24)
    task = {"name": "part_segmentation", "categories": 0, "levels": [0, 1, 2]}
    model = onlay.adapt(network, "linear", task=task, labels=["arm", "leg", "seat"])
    seen = observe(model, Path(name), torch.randn(1, len(parts), 3))
    assert isinstance(seen.prediction, PartsAnswer)
    return replace(seen, prediction=replace(seen.prediction, parts=tuple(parts)))


def test_there_are_signals_by_block_and_groups(page: Path) -> None:
    blocks = {s["name"]: [b["title"] for b in s["blocks"]] for s in data(page)["signals"]}
    assert blocks == {
        "expert": ["block 0", "block 1"],
        "per-token scale": ["block 0", "block 1", "mean of the blocks"],
        "group": ["group"],
    }


def test_every_group_has_its_experts(page: Path) -> None:
    first, second = data(page)["signals"][0]["blocks"]
    assert first["values"] == [[3, group % 2, 3] for group in range(8)]
    assert (first["summary"], first["agreement"]) == ([3] * 8, [0.6667] * 8)
    assert first["usage"] == [0.1667, 0.1667, 0, 0.6667]
    assert second["values"] == [[0, group % 2, 0] for group in range(8)]
    assert second["agreement"] == [1, 0.6667] * 4


def test_every_group_has_its_scale(page: Path) -> None:
    scale = data(page)["signals"][1]
    assert scale["range"] == [0, 1]
    assert scale["blocks"][2]["summary"] == [0, 0.75] * 4


def test_points_belong_to_the_group_of_the_nearest_centre(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = PointMae(groups=2, group_size=4, width=24, depth=1, heads=2, embed=24)
    model = onlay.adapt(network, "linear", labels=["a", "b"])
    cloud_N3 = torch.cat([torch.rand(8, 3), torch.rand(24, 3) + 5])
    view([observe(model, Path("x.ply"), cloud_N3[None])], tmp_path / "x.html")
    found = data(tmp_path / "x.html")
    assert torch.allclose(torch.tensor(found["points"]), cloud_N3, rtol=1e-3)
    near, far = set(found["nearest"][:8]), set(found["nearest"][8:])
    assert near | far == {0, 1}
    assert len(near) == len(far) == 1


def test_nothing_is_fetched_and_names_are_no_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<script[^>]+src=", text)
    assert "a<b>.ply" not in text
    assert page.stat().st_size < 6e6


def test_parts_are_a_colouring_of_points(tmp_path: Path) -> None:
    seen = of_parts("chair.ply", ("seat", "leg", "seat", "seat") * 8)
    view([seen], tmp_path / "chair.html")
    _, part, group = data(tmp_path / "chair.html")["signals"]
    assert (part["name"], part["labels"], part["points"]) == (
        "predicted part", ["leg", "seat"], True,
    )  # fmt: skip
    assert part["blocks"][0]["summary"] == [1, 0, 1, 1] * 8
    assert part["blocks"][0]["usage"] == [0.25, 0.75]
    assert "points" not in group


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A chair with legs and a seat, a sofa with arms and a seat; kernels over 3 neighbours."""
    seen = []
    for number, parts in enumerate((("leg", "seat"), ("seat", "arm"))):
        one = of_parts(f"{number}.ply", parts * 16)
        kernels = torch.tensor([3.0, 4.0, 0.0]).roll(number).expand(5, 1, 3)
        seen.append(replace(one, pictures=(Picture("kernels", 0, kernels),)))
    view(seen, tmp_path / "two.html")
    return tmp_path / "two.html"


def test_parts_of_two_clouds_have_the_same_colours(two: Path) -> None:
    text = two.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0]
    records = json.loads(text)["inputs"]
    for record, (even, odd) in zip(records, ((1, 2), (2, 0)), strict=True):
        part = record["signals"][1]
        assert (part["labels"], part["categories"]) == (["arm", "leg", "seat"], 3)
        assert part["blocks"][0]["summary"] == [even, odd] * 16
        assert record["pictures"][0]["blocks"][0]["size"] == [1, 3]
    # (3, 4, 0) and (0, 3, 4): 26 ** 0.5 over 5.
    assert json.loads(text)["differ"]["kernels"]["block 0"] == pytest.approx(26**0.5 / 5, rel=1e-3)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_two_clouds_and_their_kernels(two: Path) -> None:
    kernels = two.read_text(encoding="utf-8").replace("show(0);", "show(3);")
    two.write_text(kernels, encoding="utf-8")
    drawn = browsed(two, "--dump-dom").decode().rpartition('<div id="choices">')[2]
    drawn = drawn.partition("<script")[0]
    assert re.findall(r"<h3>(\S+)", drawn) == ["0.ply", "1.ply"]
    assert len(re.findall(r'<div class="large js-plotly-plot"', drawn)) == 2
    assert drawn.count("kernels: 5 of 1 \u00d7 3, root mean square 2.89") == 2  # (25 / 3) ** 0.5
    assert re.findall(r"<small>(differ.*?)</small>", drawn) == ["differ 102 %"]


def browsed(page: Path, *flags: str) -> bytes:
    common = ["--headless", "--no-sandbox", "--use-angle=swiftshader"]
    common += ["--enable-unsafe-swiftshader", "--virtual-time-budget=9000"]
    command = [CHROMIUM, *common, *flags, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_points_in_colour(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    browsed(page, f"--screenshot={picture}", "--window-size=1400,800")
    pixels = np.asarray(Image.open(picture).convert("RGB"))[220:600, 700:].astype(int)
    colourful = (pixels.max(-1) - pixels.min(-1)) > 60
    assert colourful.sum() > 200


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_makes_a_legend_and_a_picture_of_each_block(page: Path) -> None:
    drawn = browsed(page, "--dump-dom").decode().rpartition('<div id="choices">')[2]
    drawn = drawn.partition("<script")[0]
    chips = re.findall(r'<button class="(chip[^"]*)".*?<small>(.*?)</small>', drawn)
    # Over both blocks: 0 has (4 + 20) / 48, 1 has 8 / 48, 3 has 16 / 48.
    assert chips == [("chip", "50 %"), ("chip", "17 %"), ("chip unused", "0 %"), ("chip", "33 %")]
    assert len(re.findall(r'<button class="tile"', drawn)) == 2
    assert '<h2 id="heading">block 1</h2>' in drawn


def test_a_thumbnail_draws_near_points_last_and_dark() -> None:
    """Seen from the side and above, y up: the upper point is higher on the page, the one that is
    nearer to the eye (along x and z) darker; where z is up, z is."""
    cloud = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [1.0, 0.0, 1.0], [-1.0, 0.0, -1.0]])

    def dots(points: torch.Tensor, **facts: str) -> list[dict[str, str]]:
        address = thumbnail(points, facts)
        start, _, data = address.partition(",")
        assert start == "data:image/svg+xml;base64"
        return [circle.attrib for circle in ElementTree.fromstring(b64decode(data))]

    drawn = dots(cloud)
    heights = [float(dot["cy"]) for dot in drawn]
    lightness = [int(re.findall(r"(\d+)%\)", dot["fill"])[0]) for dot in drawn]
    assert lightness == sorted(lightness, reverse=True)
    assert min(heights) < 50 < max(heights)
    assert all(0 <= height <= 100 for height in heights)
    turned = torch.stack([cloud[:, 0], -cloud[:, 2], cloud[:, 1]], 1)
    assert dots(turned, rotate_axis="z") == drawn
