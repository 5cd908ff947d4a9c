"""`onlay inspect`: what is printed and which page is written."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import onlay
from onlay import PluginHost
from onlay.cli import main
from onlay.model.loading import load
from onlay.model.predict import predict
from onlay.pages.observing import made_by, observe


@pytest.fixture
def inspected(model: onlay.AdaptedModel, host: PluginHost, tmp_path: Path) -> Result:
    model.save_pretrained(tmp_path / "bundle")
    (tmp_path / "x.dots").write_text("1")
    words = ["inspect", tmp_path / "bundle", tmp_path / "x.dots", "--out", tmp_path / "x.html"]
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="onlay", obj=host)


def test_inspect_prints_a_line_for_each_block_and_writes_the_page(
    inspected: Result, tmp_path: Path
) -> None:
    assert inspected.exit_code == 0, inspected.output
    shares = "2 (33 %), 1 (25 %), 0 (17 %), 3 others (25 %), 2 unused"
    lines = inspected.stdout.splitlines()[1:]
    assert re.fullmatch(
        r"  change from the frozen backbone: \d+ %, \d+ %, block by block", lines.pop(3)
    )
    assert lines == [
        f"  expert, block 0: {shares}",
        f"  expert, block 1: {shares}",
        "  strength: not zero in 50, 50 % of the patches",
        f"page {tmp_path / 'x.html'}",
    ]
    assert (tmp_path / "x.html").read_text() == "x.dots"


def test_numbers_of_which_none_is_zero_are_told_by_their_mean(
    host: PluginHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onlay.adapt("dots", "choosy", labels=["a", "b"], host=host)
    monkeypatch.setattr(sys.modules["choosy"], "STRENGTHS", [0.5, 1.0, 1.0, 2.5])
    model.save_pretrained(tmp_path / "bundle")
    (tmp_path / "x.dots").write_text("1")
    words = ["inspect", tmp_path / "bundle", tmp_path / "x.dots", "--out", tmp_path / "x.html"]
    result = CliRunner().invoke(main, [str(word) for word in words], obj=host)
    assert "  strength: on average 1.2, 1.2\n" in result.output


def test_two_files_are_on_one_page_and_their_kernels_are_compared(
    host: PluginHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    method = {"name": "choosy", "kernels": True}
    model = onlay.adapt("dots", method, labels=["a", "b"], host=host)
    model.save_pretrained("bundle")
    units: list[list[float]] = []
    for file, value in (("x.dots", 1.0), ("y.dots", -2.0)):
        Path(file).write_text(str(value))
        seen = observe(model, Path(file), torch.full((1, 3, 8, 8), value))
        units.append([float(picture.values_nhw[0, 0, 0]) for picture in seen.pictures])
    result = CliRunner().invoke(main, ["inspect", "bundle", "x.dots", "y.dots"], obj=host)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == [
        "x.dots", "y.dots", "kernels, block 0", "kernels, block 1", "page x-y.html",
    ]  # fmt: skip
    # All kernels of a block are multiples of one another.
    shares = [200 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(*units, strict=True)]
    assert lines[-3:-1] == [
        f"kernels, block {block}: differ by {share:.0f} %" for block, share in enumerate(shares)
    ]
    # Of 1 to 6 the mean square is 91 / 6.
    sizes = ", ".join(f"{abs(unit) * (91 / 6) ** 0.5:.2g}" for unit in units[0])
    assert f"  kernels: 2 of 1 x 3 in each block, root mean square {sizes}" in lines
    assert Path("x-y.html").read_text() == "x.dots y.dots"


def test_made_by_names_the_run_and_the_day() -> None:
    facts = made_by("inspect", Path("runs/x"))
    assert facts["run"] == "runs/x"
    assert re.fullmatch(r"by onlay inspect, \d{4}-\d\d-\d\d \d\d:\d\d", facts["made"])


@pytest.fixture
def photographs(model: onlay.AdaptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("bundle")
    (tmp_path / "some").mkdir()
    for name, value in (("a.dots", -1.0), ("b.dots", -2.0), ("c.DOTS", 3.0), ("d.heic", 4.0)):
        (tmp_path / "some" / name).write_text(str(value))
    return tmp_path


def test_a_folder_is_the_files_in_it_and_what_is_left_out_is_said(
    photographs: Path, host: PluginHost
) -> None:
    result = CliRunner().invoke(main, ["inspect", "bundle", "some"], obj=host)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == ["left out: 1 .heic", "2 below 0"]
    assert (photographs / "some.html").read_text() == "a.dots b.dots c.DOTS"
    result = CliRunner().invoke(main, ["inspect", "bundle", "bundle"], obj=host)
    assert result.exit_code == 2
    assert "`bundle` holds no dots file" in result.stderr


def test_what_a_reader_has_to_say_is_said_once_and_from_python_through_logging(
    photographs: Path, host: PluginHost, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["predict", "bundle", "some", "--json", "--pages", "pages"]
    result = CliRunner().invoke(main, words, obj=host)
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == 3
    assert result.stderr.splitlines() == ["2 below 0", "left out: 1 .heic", "3 pages in pages"]
    assert not caplog.messages
    assert len(list(predict(load("bundle", host=host), [Path("some")], host))) == 3
    assert caplog.messages == ["2 below 0"]
