"""Pages of images as a browser draws them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from inspected_pages import data
from PIL import Image

import onlay
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe
from onlay_image.viewer import view

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
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
