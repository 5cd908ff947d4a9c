"""`onlay demo`: its grids, what it tells, and how it goes on."""

from __future__ import annotations

import re
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from refused import Command, refusal

from onlay import PluginHost
from onlay_train.demo.grids import DEMOS, Demo
from onlay_train.grid.cells import drawn
from onlay_train.grid.file import parsed

TINY = Demo(
    title="stripes",
    wheel="onlay-image",
    base={
        "backbone": "tiny",
        "data": {"name": "stripes"},
        "train": {"epochs": 1, "batch_size": 8, "trackers": [], "evaluate_train": False},
    },
    variants={
        "linear": {"method": "linear"},
        "noisy": {"method": {"name": "noisy", "idle": True}},
        "unborn": {"method": "unborn"},
    },
    your_own="stripes: method={method}",
)


class Here(Executor):
    """Trains in this process, one cell after the other."""

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **named))
        return future


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The demo `digits` is one of stripes, trained in this process."""
    monkeypatch.setitem(DEMOS, "digits", TINY)
    monkeypatch.setattr("onlay_train.grid.start.Start._executor", lambda start: Here())
    monkeypatch.setattr("onlay_train.grid.worker._redirect", lambda path: None)
    monkeypatch.setattr("onlay_train.finish.plot_run", lambda *args, **named: None)
    return monkeypatch


def test_a_demo_is_a_grid_that_goes_on(
    tiny: pytest.MonkeyPatch, onlay_command: Command, tmp_path: Path
) -> None:
    """One method learns, one fails in a sentence, one is not installed; what is done stays, what
    failed is tried again."""
    out = tmp_path / "demo"
    words = ("demo", "digits", "--out", str(out))
    first = onlay_command(*words, small=False)
    assert first.exit_code == 1, first.output
    assert re.search(r"│ linear +│ +[\d.]+ % │ +68 │", first.stdout)
    assert len(re.findall(r"^failed: noisy: ", first.stdout, re.MULTILINE)) == 1
    assert "`unborn` was left out: " in first.stdout
    assert first.stdout.rstrip().endswith("next, your own stripes: method=noisy")
    told = out / "digits"
    bundle = re.search(r"^bundle of `linear`: (.+)$", first.stdout, re.MULTILINE)
    assert bundle is not None
    assert Path(bundle[1], "adapter_config.json").exists()
    assert (told / "comparison.png").exists()
    assert f"report {told / 'report' / 'index.html'}" in first.stdout

    before = {path: path.stat().st_mtime_ns for path in out.rglob("summary.json")}
    tiny.setitem(TINY.variants, "noisy", {"method": "noisy"})
    second = onlay_command(*words, small=False)
    assert second.exit_code == 0, second.output
    assert re.search(r"│ noisy +│ +[\d.]+ % │", second.stdout)
    after = {path: path.stat().st_mtime_ns for path in out.rglob("summary.json")}
    assert (len(before), len(after)) == (1, 2)
    assert before.items() <= after.items()

    status = onlay_command("compare", "status", str(told), small=False)
    assert "2 done" in status.output


def test_a_demo_that_is_interrupted_says_how_to_go_on(
    tiny: pytest.MonkeyPatch, onlay_command: Command, tmp_path: Path
) -> None:
    def interrupted(start: object) -> None:
        raise KeyboardInterrupt

    tiny.setattr("onlay_train.grid.start.Start._executor", interrupted)
    result = onlay_command("demo", "digits", "--out", str(tmp_path), small=False)
    assert result.exit_code == 130
    assert result.stderr.strip() == "interrupted; the same command goes on"


def test_slips_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, onlay_command: Command, tmp_path: Path
) -> None:
    bare = {"env": {"ONLAY_PLUGINS": "train"}, "small": False}
    assert "onlay-image" in refusal(onlay_command("demo", **bare))
    told = refusal(onlay_command("demo", "dense", **bare))
    assert "the demo `dense` needs `onlay-dense`" in told
    file = tmp_path / "a-file"
    file.touch()
    monkeypatch.setitem(DEMOS, "digits", TINY)
    told = refusal(onlay_command("demo", "digits", "--out", str(file), small=False))
    assert (
        told == f"`{file / 'digits'}` cannot be written: a part of its path is a file, not a folder"
    )
    told = refusal(onlay_command("demo", "digit", small=False))
    assert told == "there is no demo `digit` (have: digits, shapes, dense)"
    assert [name for name, demo in DEMOS.items() if demo.asked] == ["dense"]


@pytest.mark.parametrize(("name", "package"), [("digits", "image"), ("shapes", "pointcloud")])
def test_every_training_of_the_demo_is_a_valid_run_and_readme_has_its_row(
    name: str, package: str
) -> None:
    pytest.importorskip(f"onlay_{package}", reason="the demo's backbone and data are there")
    demo, host = DEMOS[name], PluginHost.discover()
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    table = readme.partition(f"| {name} | test top1")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\w+) \| [\d.]+ % \|", table, re.MULTILINE)
    assert rows == list(demo.variants)
    found = drawn(parsed(demo.grid(host), host), host)
    assert (len(found.runs), found.skipped) == (len(demo.installed(host)), [])
