"""The page of an image: the crop that the network saw, with a tint for each patch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import onlay
from onlay import PluginHost
from onlay.cli import main
from onlay.inspecting import Picture
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay_image.data.preprocess import geometry
from onlay_image.viewer import thumbnail, view

FILE = Path(__file__).parent / "data" / "choosy_image.py"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginHost]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield PluginHost.discover(files=[FILE])
    sys.modules.pop("choosy_image", None)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """Wider than high, no two pixels alike in all channels."""
    y, x = np.mgrid[:60, :80]
    Image.fromarray(np.stack([3 * x, 4 * y, x + y], -1).astype(np.uint8)).save(tmp_path / "a&b.png")
    return tmp_path / "a&b.png"


@pytest.fixture
def page(host: PluginHost, photograph: Path, tmp_path: Path) -> Path:
    """What the command writes: 6 blocks, 8 by 8 patches."""
    model = onlay.adapt("onlay_vit_64", "choosy", labels=["cat", "dog"], host=host)
    model.save_pretrained(tmp_path / "bundle")
    sys.modules.pop("choosy_image", None)
    out = tmp_path / "a.html"
    words = ["--plugin", FILE, "inspect", tmp_path / "bundle", photograph, "--out", out]
    result = CliRunner().invoke(main, [str(word) for word in words], prog_name="onlay")
    assert result.exit_code == 0, result.output
    # Of 64 patches x 3 parts: u is each of 0 to 3 equally often, and so is u + 1.
    assert "  expert, block 5: 0 (25 %), 1 (25 %), 2 (25 %), 3 (25 %)\n" in result.stdout
    return out


def data(page: Path) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>',
        page.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found is not None
    return json.loads(found[1])


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


@pytest.fixture
def two(host: PluginHost, tmp_path: Path) -> Path:
    """Two inputs whose kernels, 16 of 3 x 3, are all 1 and all -1 in block 0, 1 and 0.5 after."""
    model = onlay.adapt("onlay_vit_64", "choosy", labels=["cat", "dog"], host=host)
    seen = [
        replace(
            observe(model, Path(name), torch.full((1, 3, 64, 64), shade)),
            pictures=tuple(
                Picture("kernels", block, torch.full((16, 3, 3), value))
                for block, value in enumerate(values)
            ),
        )
        for name, shade, values in (
            ("a.png", 0.5, [1.0, 1.0, 1.0]),
            ("b.png", -0.5, [-1.0, 0.5, 0.5]),
        )
    ]
    view(seen, tmp_path / "two.html")
    return tmp_path / "two.html"


def test_each_of_two_inputs_has_its_picture(two: Path) -> None:
    shades = []
    for record in data(two)["inputs"]:
        png = b64decode(record["picture"].partition(",")[2])
        shades.append(np.unique(np.asarray(Image.open(BytesIO(png)))).tolist())
    assert shades == [[191], [64]]  # 255 (0.5 + 0.25) and 255 (0.5 - 0.25)
    assert data(two)["differ"]["kernels"] == pytest.approx(
        {"block 0": 2, "block 1": 0.5 / 0.75, "block 2": 0.5 / 0.75}
    )


def browsed(page: Path, *flags: str) -> bytes:
    common = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    command = [CHROMIUM, *common, *flags, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_two_inputs_side_by_side(two: Path, tmp_path: Path) -> None:
    drawn = browsed(two, "--dump-dom").decode().partition('<script type="application/json"')[0]
    assert re.findall(r"<h3>(\S+)", drawn) == ["a.png", "b.png"]
    shares = re.findall(r"<small>differ (.*?)</small>", drawn)
    assert shares == ["200 %", "67 %", "67 %"]
    assert re.findall(r'data-pictures="(.*?)"', drawn) == ["kernels 2"] * 2
    assert '<h2 id="heading">block 2<span> \u2014 kernels differ by 67 %' in drawn


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_positive_is_red_and_negative_blue(two: Path, tmp_path: Path) -> None:
    first = two.read_text(encoding="utf-8").replace("kind: 0, block: -1", "kind: 0, block: 0")
    two.write_text(first, encoding="utf-8")
    picture = tmp_path / "two.png"
    browsed(
        two, f"--screenshot={picture}", "--window-size=1500,950", "--force-device-scale-factor=1"
    )
    pixels = np.asarray(Image.open(picture).convert("RGB"))[250:]
    count = {
        (side, name): int((part == colour).all(-1).sum())
        for side, part in (("left", pixels[:, 500:1000]), ("right", pixels[:, 1000:]))
        for name, colour in (("red", [178, 24, 43]), ("blue", [33, 102, 172]))
    }
    assert min(count["left", "red"], count["right", "blue"]) > 16 * 9 * 16
    assert (count["left", "blue"], count["right", "red"]) == (0, 0)


@pytest.fixture(scope="module")
def head_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter without modules, which changes no token."""
    model = onlay.adapt("onlay_vit_64", "linear", num_classes=2)
    page = tmp_path_factory.mktemp("linear") / "x.html"
    view([observe(model, Path("x.png"), torch.zeros(1, 3, 64, 64))], page)
    return page


def test_an_adapter_that_changes_nothing_has_a_page(head_alone: Path) -> None:
    (change,) = data(head_alone)["inputs"][0]["signals"]
    assert (change["name"], change["still"], len(change["blocks"])) == (CHANGE, True, 6)
    assert not any(any(block["summary"]) for block in change["blocks"])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_on_a_phone_the_chosen_picture_comes_before_the_small_ones(head_alone: Path) -> None:
    """Where the page wrote it, as its top: in a frame of 390 pixels, then of 1280."""
    script = """<script>addEventListener("load", () => setTimeout(() => {
      const top = (id) => document.getElementById(id).getBoundingClientRect().top;
      document.title = `${innerWidth} ${top("chosen") < top("tiles")}`
        + ` ${document.documentElement.scrollWidth <= innerWidth}`;
    }, 500));</script></body>"""
    page = head_alone.with_name("measured.html")
    page.write_text(
        head_alone.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8"
    )
    titles = {}
    for width in (390, 1280):
        framed = head_alone.with_name(f"{width}.html")
        framed.write_text(
            f'<iframe src="{page.name}" style="border:0;width:{width}px;height:900px"></iframe>'
            "<script>setTimeout(() => { document.body.dataset.said ="
            " frames[0].document.title; }, 1500);</script>",
            encoding="utf-8",
        )
        drawn = browsed(framed, "--allow-file-access-from-files", "--dump-dom").decode()
        titles[width] = re.findall(r'data-said="(.*?)"', drawn)
    assert titles == {390: ["390 true true"], 1280: ["1280 false true"]}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_says_that_nothing_changed(head_alone: Path) -> None:
    drawn = browsed(head_alone, "--dump-dom").decode()
    assert '<p id="meaning">This adapter changes nothing inside the backbone' in drawn
    assert "<dt>method</dt> <dd>linear, 386 trained parameters</dd>" in drawn


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_every_block_and_a_legend(page: Path, tmp_path: Path) -> None:
    drawn = browsed(page, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom").decode()
    drawn = drawn.partition("</script>")[0]
    assert len(re.findall(r'<button class="tile"', drawn)) == 6
    assert re.findall(r'<button class="chip".*?<small>(.*?)</small>', drawn) == ["25 %"] * 4
    assert '<h2 id="heading">block 5</h2>' in drawn
    assert re.search(r'<div class="large"><canvas [^>]*max-width: 616px', drawn)


def test_a_thumbnail_shows_the_pixels_that_the_backbone_got() -> None:
    """Red 200, green 100, blue 0 of 255; wide pictures keep their form."""
    seen = torch.tensor([200.0, 100.0, 0.0]).div(255).sub(0.5).div(0.25)[:, None, None]
    address = thumbnail(seen.expand(3, 100, 400), {"mean": [0.5] * 3, "std": [0.25] * 3})
    start, _, data = address.partition(",")
    assert start == "data:image/png;base64"
    picture = Image.open(BytesIO(b64decode(data)))
    assert picture.size == (224, 56)
    assert picture.getpixel((10, 10)) == (200, 100, 0)
