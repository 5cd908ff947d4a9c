"""Images have no page to look at yet, and `inlay inspect` says so."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from PIL import Image

import inlay
from inlay.cli import main


def test_inspect_says_that_images_have_no_page(tmp_path: Path) -> None:
    model = inlay.adapt("inlay_vit_64", "linear", labels=["cat", "dog"])
    model.save_pretrained(tmp_path / "bundle")
    Image.new("RGB", (80, 60)).save(tmp_path / "cat.png")
    words = ["inspect", tmp_path / "bundle", tmp_path / "cat.png", "--out", tmp_path / "cat.html"]
    result = CliRunner().invoke(main, [str(word) for word in words], prog_name="inlay")
    assert result.exit_code == 2
    assert "there is no page to look at for `image` inputs yet" in result.stderr
    assert not (tmp_path / "cat.html").exists()
