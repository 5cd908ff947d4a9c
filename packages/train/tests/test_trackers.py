"""A plugin's tracker is told of a run, and what fails in it is never silent; plugins are told of
runs and of their failures."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import onlay
from onlay.cli import main
from onlay.config.run import RunConfig
from onlay.errors import PluginError, RunError
from onlay.hooks import Run
from onlay.host import PluginHost
from onlay_train.run import train

Configure = Callable[..., RunConfig]
FILES = [Path(__file__).parent / "data" / f"{name}_plugin.py" for name in ("tiny", "pruning")]
SMALL = ("train.trackers=noting", "train.epochs=1", "train.log_every=4")


@pytest.fixture
def host() -> PluginHost:
    return PluginHost.discover(only="train", files=FILES)


def noted(config: RunConfig) -> list[Any]:
    return [json.loads(line) for line in (config.out / "noted.jsonl").read_text().splitlines()]


def test_a_plugin_s_tracker_hears_all(configure: Configure, host: PluginHost) -> None:
    config = configure(*SMALL)
    train(config, host, console=Console(quiet=True))
    made, told, *logged, finished = noted(config)
    own = json.loads((config.out / "run.json").read_text())["id"]
    assert (made, told, finished) == (["made", own], ["told", 0.01], ["finish"])
    assert [step for _, step, _ in logged] == [4, 8, 8, None]
    assert logged[0][2] == ["train/loss", "train/lr"]
    assert "validation_top1" in logged[2][2]
    assert "final/test_top1" in logged[3][2]


@pytest.mark.parametrize("what", ["made", "told", "log", "finish"])
def test_a_tracker_that_fails_ends_the_run_in_words(
    configure: Configure, host: PluginHost, tmp_path: Path, what: str
) -> None:
    (tmp_path / "fails").write_text(what)
    config = configure(*SMALL)
    sentence = r"plugin_?.*failed in its tracker `noting`: OSError: the service is away"
    with pytest.raises(PluginError, match=sentence):
        train(config, host, console=Console(quiet=True))
    assert (noted(config)[-1] == ["finish"]) == (what in ("log", "finish", "told"))
    (tmp_path / "fails").unlink()
    assert train(config, host, console=Console(quiet=True)).epochs == 1  # the same command goes on


def test_what_fails_beside_a_failure_is_a_warning(
    configure: Configure, host: PluginHost, tmp_path: Path
) -> None:
    (tmp_path / "fails").write_text("finish")
    heard = io.StringIO()
    with pytest.raises(RunError, match="the loss is"):
        train(configure(*SMALL, "train.lr=1e30"), host, console=Console(file=heard, width=200))
    assert "warning: plugin" in heard.getvalue()
    assert "the service is away" in heard.getvalue()


class Told:
    """Notes which run every tell is about."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, Run]] = []
        self.errors: list[BaseException] = []

    @onlay.hookimpl
    def adapter_attached(self, run: Run) -> None:
        self.runs.append(("adapter_attached", run))

    @onlay.hookimpl
    def step_finished(self, run: Run) -> None:
        self.runs.append(("step_finished", run))

    @onlay.hookimpl
    def run_finished(self, run: Run) -> None:
        self.runs.append(("run_finished", run))

    @onlay.hookimpl
    def run_failed(self, run: Run, error: BaseException) -> None:
        self.runs.append(("run_failed", run))
        self.errors.append(error)


def test_tells_carry_the_run_which_keeps_its_id(configure: Configure, host: PluginHost) -> None:
    told = Told()
    host.add(told, name="told")
    broken, config = configure("train.lr=1e30"), configure("train.epochs=1", out="other")
    with pytest.raises(RunError, match="the loss is") as caught:
        train(broken, host, console=Console(quiet=True))
    assert [name for name, _ in told.runs] == ["adapter_attached", "run_failed"]
    assert told.errors == [caught.value]
    with pytest.raises(RunError):
        train(broken, host, console=Console(quiet=True))
    assert len({run.id for _, run in told.runs}) == 1
    assert all((run.folder, run.config) == (broken.out, broken) for _, run in told.runs)
    told.runs.clear()
    train(config, host, console=Console(quiet=True))
    assert [name for name, _ in told.runs] == ["adapter_attached", "run_finished"]
    own = json.loads((config.out / "run.json").read_text())["id"]
    assert {run.id for _, run in told.runs} == {own}


def test_the_command_line_names_trackers(tmp_path: Path, small_run: list[str]) -> None:
    words = [word for file in FILES for word in ("--plugin", str(file))]
    words += [*small_run[small_run.index("train") :], "train.epochs=1"]
    words.remove("train.trackers=[]")

    def run(*more: str) -> Result:
        return CliRunner().invoke(main, [*words, *more])

    unknown = run("--tracker", "notin")
    assert unknown.exit_code == 2
    assert "no tracker `notin` is installed (have: aim, " in unknown.output
    assert "did you mean `noting`?" in unknown.output
    done = run("--tracker", "noting", "--tracker", "tensorboard")
    assert done.exit_code == 0, done.output
    assert {"noted.jsonl", "tensorboard"} <= {file.name for file in (tmp_path / "run").iterdir()}


def test_the_tracker_of_the_documentation(configure: Configure) -> None:
    example = Path(__file__).parents[3] / "docs" / "examples" / "sqlite_tracker.py"
    host = PluginHost.discover(only="train", files=[FILES[0], example])
    config = configure("train.epochs=1", "train.log_every=4")
    config = config.model_copy(
        update={"train": config.train.model_copy(update={"trackers": ("sqlite",)})}
    )
    train(config, host, console=Console(quiet=True))
    table = sqlite3.connect(config.out / "metrics.sqlite")
    found = table.execute("select step from metrics where name = 'train/loss'").fetchall()
    assert found == [(4,), (8,)]
    own = json.loads((config.out / "run.json").read_text())["id"]
    assert table.execute("select distinct run from metrics").fetchall() == [(own,)]
