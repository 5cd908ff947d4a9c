"""What is handed to an executor, and what becomes of cells whose process dies."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import pytest
from finished import finish
from forks import status_of
from summaries import summary

from onlay.descriptors import Optimizer
from onlay.errors import PluginError
from onlay.hooks import hookimpl
from onlay.host import PluginHost
from onlay_train.grid import schedule
from onlay_train.grid.cells import Cell
from onlay_train.grid.executors import announced
from onlay_train.grid.executors.ending import Killed, Refused
from onlay_train.grid.facts import keys_in, survey, write_facts
from onlay_train.grid.plan import make_plan
from onlay_train.grid.schedule import TRIES, Schedule
from onlay_train.grid.shown import shown
from onlay_train.grid.state import CellFolder
from onlay_train.grid.worker import run_cell
from onlay_train.lock import only_writer


class Fake(Executor):
    """Trains nothing: `ends(root, name)` says what becomes of a cell."""

    def __init__(self, ends) -> None:
        self.ends, self.begun = ends, []

    def submit(self, fn, /, *args, **named):
        root, name, _ = args
        self.begun.append(name)
        future: Future[str] = Future()
        try:
            future.set_result(self.ends(Path(root), name))
        except (Killed, Refused) as error:
            future.set_exception(error)
        return future


@pytest.fixture
def plan(make, host, root):
    return make_plan(make({"method": ["noisy", "linear"]}), host, root, {})


def done(root: Path, name: str) -> str:
    folder = CellFolder(root, name)
    finish(folder, Cell.read(folder.cell), 0.5)
    return "done"


def test_every_cell_is_begun_once(plan):
    executor, seen = Fake(done), []
    Schedule(plan, executor, seen=lambda cell, state: seen.append(state)).run()
    assert executor.begun == [cell.name for cell in plan.cells()]
    assert seen == ["done", "done"]
    Schedule(plan, executor, seen=lambda cell, state: seen.append(state)).run()
    assert len(executor.begun) == 2
    assert len(seen) == 2  # what ended earlier is no news


def test_a_cell_that_another_start_ends_meanwhile_is_told(plan):
    first, other = plan.cells()
    seen = []

    def ends(root: Path, name: str) -> str:
        plan.folder(other).place(other)
        done(root, other.name)
        return done(root, name)

    Schedule(plan, Fake(ends), seen=lambda cell, state: seen.append(cell.name)).run()
    assert {*seen} == {first.name, other.name}


def test_a_second_start_counts_each_cell_once(make, host, root, capsys):
    """Four of six are done; then the fifth and the sixth end."""
    grid = make({"method": ["noisy", "linear"], "train.seed": [0, 1, 2]})
    plan = make_plan(grid, host, root, {})
    for cell in plan.cells()[:4]:
        finish(plan.folder(cell), cell, 0.5)
    plan = make_plan(grid, host, root, {})
    with shown(plan) as seen:
        Schedule(plan, Fake(done), seen=seen).run()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "(5 of 6; about" in lines[0]
    assert "of 6" not in lines[1]


def test_a_cell_whose_process_is_killed_goes_on_and_the_others_do_too(plan):
    first = plan.cells()[0]

    def ends(root: Path, name: str) -> str:
        if name == first.name:
            raise Killed("its process was killed")
        return done(root, name)

    executor = Fake(ends)
    Schedule(plan, executor).run()
    assert executor.begun.count(first.name) == TRIES
    assert [plan.folder(cell).state for cell in plan.cells()] == ["failed", "done"]
    assert plan.folder(first).failure().said == "its process was killed, 3 times"
    again = Fake(done)
    Schedule(plan, again).run()
    assert again.begun == []
    Schedule(plan, again, retry=True).run()
    assert again.begun == [first.name]


@pytest.mark.parametrize("told", ["done", "waiting", "interrupted", None, {"state": "done"}])
def test_a_job_that_ends_without_training_its_cell_is_tried_a_few_times(plan, told, monkeypatch):
    """Whatever an executor says of it: the folder tells what came of a cell."""
    monkeypatch.setattr(schedule, "LATE", (0.0,))
    first = plan.cells()[0]
    executor, seen = Fake(lambda root, name: told if name == first.name else done(root, name)), []
    Schedule(plan, executor, seen=lambda cell, state: seen.append((cell.name, state))).run()
    assert executor.begun.count(first.name) == TRIES
    assert [plan.folder(cell).state for cell in plan.cells()] == ["failed", "done"]
    said = "its job ended, and it was not trained, 3 times"
    assert plan.folder(first).failure().said == said
    assert (first.name, "done") not in seen


def test_what_another_machine_wrote_may_be_seen_a_little_later(plan):
    def ends(root: Path, name: str) -> str:
        Timer(0.2, done, (root, name)).start()
        return "done"

    executor, seen = Fake(ends), []
    Schedule(plan, executor, seen=lambda cell, state: seen.append(state)).run()
    assert len(executor.begun) == 2
    assert seen == ["done", "done"]


class Odd(Executor):
    """Takes no job as one should."""

    def __init__(self, gives) -> None:
        self.gives = gives

    def submit(self, fn, /, *args, **named):
        return self.gives()


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: "job 7", r"its `submit` gives a `str`, no `concurrent\.futures\.Future`"),
        (lambda: sys.exit(3), "SystemExit: 3"),
    ],
)
def test_an_executor_that_takes_no_job_is_named_with_its_plugin(plan, gives, said):
    with pytest.raises(PluginError, match=f"executor `local` of plugin `onlay-train .*{said}"):
        Schedule(plan, Odd(gives)).run()


def test_a_cell_that_was_trained_is_done_whatever_its_executor_says(plan):
    executor, seen = Fake(lambda root, name: done(root, name) and None), []
    Schedule(plan, executor, seen=lambda cell, state: seen.append(state)).run()
    assert len(executor.begun) == 2
    assert seen == ["done", "done"]


def test_what_cells_need_of_plugins_is_imported_before_them_as_far_as_it_can_be(
    plan, host, monkeypatch
):
    monkeypatch.setenv(announced.NAMES, "")
    announced.announce((config for _, config in plan.drawn.runs), host)
    names = os.environ[announced.NAMES].split()
    assert {"tiny_plugin", "onlay.tasks.classification"} <= {*names}
    monkeypatch.setenv(announced.NAMES, "no_such_module odd_in_the_beginning wave")
    (root := plan.root).mkdir()
    (root / "odd_in_the_beginning.py").write_text("print('no'); raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    announced.import_announced()
    assert "wave" in sys.modules


def test_a_scheduler_imports_no_torch():
    code = "import sys, onlay_train.grid.start; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_cell_that_another_start_trains_is_running_and_has_not_failed(plan, plugin_file):
    """In a process of its own, for a worker's output goes to its file."""
    cell = plan.cells()[0]
    folder = plan.folder(cell)
    folder.place(cell)
    words = str(plan.root), cell.name, [str(plugin_file)]
    with only_writer(folder.path):
        assert status_of(lambda: run_cell(*words) != "running") == 0, folder.output.read_text()
    assert folder.failure() is None
    assert folder.state == "waiting"


@pytest.mark.parametrize("changed", [False, True])
def test_a_cell_whose_data_changed_under_the_comparison_is_not_done(plan, plugin_file, changed):
    cell = plan.cells()[0]
    folder, words = plan.folder(cell), (str(plan.root), cell.name, [str(plugin_file)])
    folder.place(cell)
    known = survey([cell.config], [str(plugin_file)])
    other = {keys_in(cell.config)["data"]: "of yesterday"} if changed else {}
    write_facts(plan.root / "facts.json", known | other)
    state = "failed" if changed else "done"
    assert status_of(lambda: run_cell(*words) != state) == 0, folder.output.read_text()
    assert folder.state == state
    if changed:
        assert folder.failure().said.startswith("its data changed after this comparison had read")


def test_a_cell_is_not_trained_by_another_version_than_its_own(plan, plugin_file):
    """As after an upgrade between a job's submission and its start."""
    cell = plan.cells()[0]
    plan.folder(cell).place(replace(cell, versions={**cell.versions, "onlay": "9.9.9"}))
    words = str(plan.root), cell.name, [str(plugin_file)]
    assert status_of(lambda: run_cell(*words) != "failed") == 0
    assert (
        "and the cell is of 9.9.9: start `onlay compare` again" in plan.folder(cell).failure().said
    )


def test_an_edited_plugin_file_makes_other_cells(make, host, root, plugin_file, monkeypatch):
    grid = make({"method": ["noisy"]})
    (before,) = make_plan(grid, host, root, {}).cells()
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"edited")
    (after,) = make_plan(grid, host, root, {}).cells()
    assert before.name != after.name
    assert before.same == after.same


class Optimizers:
    """Of a plugin that brings one."""

    @hookimpl
    def register_optimizers(self):
        yield Optimizer(name="own", build="torch.optim:SGD", summary="of its own")


def test_another_version_of_any_plugin_that_trains_makes_other_cells(make, root, plugin_file):
    grid, found = make({"method": ["noisy"], "train.opt": ["own"]}), []
    for version in ("1.0", "1.1"):
        own = PluginHost.discover(only="train", files=[plugin_file])
        own.add(Optimizers(), name="own", distribution="onlay-own", version=version)
        found += make_plan(grid, own, root, {}).cells()
    before, after = found
    assert before.versions["onlay-own"] == "1.0"
    assert before.name != after.name
    assert before.same == after.same


def test_a_cell_that_diverges_is_told_from_one_that_fails(make, host, root, plugin_file):
    fast = {"method": ["full"], "train.lr": [1e30], "train.weight_decay": [1e30]}
    plan = make_plan(make(fast), host, root, {})
    (cell,) = plan.cells()
    plan.folder(cell).place(cell)
    words = str(plan.root), cell.name, [str(plugin_file)]
    assert status_of(lambda: run_cell(*words) != "failed") == 0
    failure = plan.folder(cell).failure()
    assert (failure.kind, failure.diverged) == ("DivergedError", True), failure.said


def test_plugins_hear_of_cells_once_and_one_that_fails_over_it_holds_up_none(plan, host):
    heard, warned = [], []

    @hookimpl
    def cell_finished(cell, summary):
        heard.append((cell["labels"], summary["metrics"]))
        raise ValueError("no")

    host.add(SimpleNamespace(cell_finished=cell_finished), name="ears")

    def ends(root: Path, name: str) -> str:
        (root / "cells" / name / "summary.json").write_text(summary(0.5, part="test").text())
        return "done"

    executor = Fake(ends)
    Schedule(plan, executor, warn=warned.append).run()
    Schedule(plan, executor).run()
    assert sorted(labels["method"] for labels, _ in heard) == ["linear", "noisy"]
    assert heard[0][1] == {"test_top1": 0.5}
    assert len(warned) == 2
    assert "plugin `ears` failed in `cell_finished`: " in warned[0]


def test_a_place_that_takes_no_cell_fails_none_and_those_that_run_go_on(plan):
    first = plan.cells()[0]

    def ends(root: Path, name: str) -> str:
        if name == first.name:
            raise Refused("no such partition")
        return done(root, name)

    executor = Fake(ends)
    with pytest.raises(Refused, match="no such partition"):
        Schedule(plan, executor).run()
    assert len(executor.begun) == 2
    assert [plan.folder(cell).state for cell in plan.cells()] == ["waiting", "done"]
