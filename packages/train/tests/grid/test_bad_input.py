"""What is wrong says so in one sentence, and the rest goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from finished import finish

from onlay.errors import RunError
from onlay_train.grid import facts
from onlay_train.grid.executors.local import Killed
from onlay_train.grid.plan import make_plan
from onlay_train.grid.report.writing import looked_at
from onlay_train.grid.schedule import TRIES, Schedule
from onlay_train.grid.shown import outcome
from onlay_train.grid.state import CellFolder, Failure

PLUGIN = str(Path(__file__).parents[1] / "data" / "tiny_plugin.py")
SEARCH = {"keys": {"train.lr": [1e-3, 1e-1, "log"]}, "trials": 1}


def test_searches_that_choose_nothing_are_told_and_others_are_trained(make, host, root):
    """`linear` failed, `full` has nothing to be judged on, `noisy` is chosen for."""
    axes = {"method": ["linear", "full", "noisy"], "train.seed": [0, 1]}
    plan = make_plan(make(axes, search=SEARCH), host, root, {})
    for trial in plan.trials():
        folder = plan.folder(trial)
        finish(folder, trial, 0.5)
        if trial.labels["method"] == "linear":
            folder.run.summary.unlink()
            folder.fail(Failure("RunError", "it is broken"))
        if trial.labels["method"] == "full":
            summary = replace(folder.summary(), metrics={"train_top1": 1.0})
            folder.run.summary.write_text(summary.text())
    plan.known.update(dict.fromkeys(_keys(plan), "0"))
    assert [cell.labels["method"] for cell in plan.cells()] == ["noisy", "noisy"]
    lines = outcome(plan).splitlines()
    assert "not trained: linear: all 1 trials of the search failed" in lines
    [full] = [line for line in lines if line.startswith("not trained: full: a search chooses on a")]
    assert "`data.val_size`" in full
    assert not any("wait for what the search" in line for line in lines)


def test_a_damaged_summary_is_one_failed_cell_and_the_others_count(make, host, root):
    plan = make_plan(make({"method": ["linear", "noisy"]}), host, root, {})
    for cell in plan.cells():
        finish(plan.folder(cell), cell, 0.5)
    folder = CellFolder(root, plan.cells()[0].name)
    folder.run.summary.write_text(folder.run.summary.read_text()[:-9])
    later = make_plan(plan.grid, host, root, {})
    assert "1 done, 1 failed" in outcome(later)
    assert "failed: linear: `" in outcome(later)
    assert "is damaged: delete it, and the same command writes it again" in outcome(later)
    assert [row.method for row in looked_at(later)[0].rows] == ["noisy"]
    folder = later.folder(later.cells()[0])
    folder.forgive()
    assert folder.state == "waiting"


def test_a_search_without_a_part_to_choose_on_is_one_sentence_and_no_trial(make, host, root):
    """What was read says it; one of two data sets has such a part."""
    data = {"a": {"data": {"name": "stripes", "held_out": 0}}, "b": {"data": "stripes"}}
    axes = {"method": ["noisy"], "data": data, "train.seed": [0, 1]}
    grid = make(axes, search={**SEARCH, "trials": 3})
    trials = make_plan(grid, host, root, {}).trials()
    known = facts.survey([trial.config for trial in trials], [PLUGIN])
    plan = make_plan(grid, host, root, known)
    assert {trial.labels["data"] for trial in plan.trials()} == {"b"}
    assert plan.size == 3 + 4
    told = [line for line in outcome(plan).splitlines() if "validation" in line]
    assert told == [
        "not trained: noisy, a: a search chooses on a validation part, and the data have none: give"
        " one (`data.val_size`, or a folder `val`)"
    ]
    assert looked_at(plan)[0].searches[0].data == "b"


def _keys(plan):
    from onlay_train.grid.facts import keys_of

    return {key for _, config in plan.drawn.runs for key in keys_of(config).values()}


def test_cells_of_another_schema_are_told_and_left_alone(make, host, root):
    plan = make_plan(make({"method": ["noisy"]}), host, root, {})
    other = CellFolder(root, "0123456789ab")
    other.path.mkdir(parents=True)
    other.cell.write_text(json.dumps({"schema": 9}))
    assert "1 cells cannot be read" in outcome(plan)
    assert "(`0123456789ab`): they are left as they are" in outcome(plan)


def test_a_disk_that_is_full_when_a_reason_is_written_stops_nobody_else(
    make, host, root, monkeypatch
):
    def full(self: CellFolder, failure: Failure) -> None:
        raise RunError("the disk is full")

    plan = make_plan(make({"method": ["noisy", "linear"]}), host, root, {})
    monkeypatch.setattr(CellFolder, "fail", full)
    schedule = Schedule(plan, executor=None)
    first = plan.cells()[0]
    states = [schedule._broken(first, Killed("its process was killed")) for _ in range(TRIES)]
    assert states == ["interrupted"] * (TRIES - 1) + ["failed"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_cell_whose_files_find_no_room_fails_in_one_sentence(make, host, root, plugin_file):
    """In a process of its own, whose files may have two kilobytes; it writes no bytecode, which
    the limit would cut off."""
    plan = make_plan(make({"method": ["noisy"]}), host, root, {})
    [cell] = plan.cells()
    folder = plan.folder(cell)
    folder.place(cell)
    code = (
        "import resource, sys; from onlay_train.grid.worker import run_cell;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY));"
        "sys.exit(run_cell(*sys.argv[1:3], sys.argv[3:]) != 'failed')"
    )
    words = [sys.executable, "-B", "-c", code, str(root), cell.name, str(plugin_file)]
    assert subprocess.run(words, check=False).returncode == 0, folder.output.read_text()
    assert folder.failure().said.startswith("a file may have 2.0 KiB here (`ulimit -f`), and a ")
    assert "\n" not in folder.failure().said


def test_data_that_break_a_plugin_are_a_fact_and_no_traceback(monkeypatch):
    monkeypatch.setattr("onlay.model.splits.read_splits", lambda *given: {}["groups"])
    read = facts._of_data(None, None, SimpleNamespace(input_spec={}), "key")
    assert read["key"].startswith("failed: KeyError: 'groups' (test_bad_input.py, line ")
