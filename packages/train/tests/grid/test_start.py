"""Starts of a comparison one after the other, with an executor in this process that trains
nothing: a cell's score is its rate."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from finished import finish

from onlay.host import PluginHost
from onlay_train.grid.cells import Cell
from onlay_train.grid.plan import Plan
from onlay_train.grid.report.writing import looked_at
from onlay_train.grid.start import Start
from onlay_train.grid.state import CellFolder, Failure
from onlay_train.grid.worker import run_cell

GRID: dict[str, Any] = {
    "grid": {"method": ["linear"], "train.seed": [0]},
    "base": {
        "backbone": "tiny",
        "data": "stripes",
        "train": {"epochs": 1, "batch_size": 4, "trackers": []},
    },
    "search": {"keys": {"train.lr": [1e-3, 1e-1, "log"]}, "trials": 2},
}
Grow = Callable[..., Plan]


class Here(Executor):
    """It fails what it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.fails: set[str] = set()
        self.score: Callable[[Any], float] = lambda config: config["train"]["lr"]

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(self.trained(*args) if fn is run_cell else fn(*args, **named))
        return future

    def trained(self, root: str, name: str, plugins: Any) -> str:
        folder = CellFolder(Path(root), name)
        cell = Cell.read(folder.cell)
        self.begun.append(name)
        if name in self.fails:
            folder.fail(Failure("RunError", "no"))
            return "failed"
        finish(folder, cell, self.score(cell.config))
        return "done"


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def started(
    host: PluginHost, root: Path, here: Here, plugin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Grow:
    """`started({"train.seed": [0, 1]}, retry=True)`: another start, with more axes; its plan."""
    monkeypatch.setattr(Start, "_executor", lambda self: here)

    def start(axes: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **how: Any):
        here.begun.clear()
        content = {**GRID, **(more or {}), "grid": {**GRID["grid"], **(axes or {})}}
        facts = {"host": host, "file": root / "grid.yaml", "root": root, "content": content}
        own = Start(**facts, **{"only": {}, "plugins": [str(plugin_file)], **how})
        return own._whole(own.finished())

    return start


def test_a_grid_that_is_searched_may_grow(started: Grow, here: Here) -> None:
    """Two seeds more: no trial is new, and both cells take what was chosen."""
    plan = started()
    assert len(here.begun) == 2 + 1
    started()
    assert here.begun == []
    plan = started({"train.seed": [0, 1, 2]})
    assert len(here.begun) == 2
    found, _, told = looked_at(plan)
    assert len({row.chosen["train.lr"] for row in found.rows}) == 1
    assert len(found.rows) == 3
    assert not any("not done" in each for each in told)


def test_sizes_that_are_not_searched_may_be_added(started: Grow, here: Here) -> None:
    search = {"search": {**GRID["search"], "at": {"data.train": [10]}}}
    started({"data.train": [10]}, search)
    plan = started({"data.train": [10, 20]}, search)
    assert len(here.begun) == 1
    assert len(looked_at(plan)[0].rows) == 2


def test_what_waits_to_be_read_is_told_as_waiting(started: Grow, host: PluginHost) -> None:
    from onlay_train.grid.facts import read_facts
    from onlay_train.grid.file import parsed
    from onlay_train.grid.plan import make_plan
    from onlay_train.grid.shown import outcome

    root = started().root
    grown = parsed({**GRID, "grid": {"method": ["linear"], "train.seed": [0, 1]}}, host)
    told = outcome(make_plan(grown, host, root, read_facts(root / "facts.json")))
    assert told == "3 done, 1 waiting"


def test_a_trial_that_failed_and_is_the_best_once_it_is_retried_decides(
    started: Grow, here: Here
) -> None:
    """The best rate is the largest: first that of one trial, then that of the other."""
    first = started()
    trials = sorted(first.trials(), key=lambda trial: trial.chosen["train.lr"])
    best = trials[-1]
    folder = first.folder(best)
    folder.run.summary.unlink()
    folder.fail(Failure("RunError", "no"))
    worse = started()
    assert [cell.chosen for cell in worse.cells()] == [trials[0].chosen]
    plan = started(retry=True)
    assert here.begun == [best.name]  # the cell of that choice is there
    found, _, _ = looked_at(plan)
    assert [row.chosen for row in found.rows] == [best.chosen]
    assert found.searches[0].chosen == best.chosen


def test_a_part_of_the_grid_reports_all_that_is_done(started: Grow, here: Here) -> None:
    """What a search chooses may be about the data: facts of the part alone do not name the rest."""
    search = {"search": {"keys": {"task.label_smoothing": [0.01, 0.2]}, "trials": 2}}
    here.score = lambda config: abs(
        config["task"]["label_smoothing"] - (config["method"]["name"] == "linear")
    )
    axes = {"method": ["linear", "noisy"]}
    plan = started(axes, search)
    plan.folder(plan.cells()[1]).run.summary.unlink()  # else nothing of it is read again
    plan = started(axes, search, only={"method": ["noisy"]})
    assert len(here.begun) == 1
    assert {row.method for row in looked_at(plan)[0].rows} == {"linear", "noisy"}
