"""Which cells a report counts, and what it says of those that it does not: other versions, machines
and grids, lost seeds, scores that are no numbers."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import replace

import pytest
from finished import SCORES, finish

from onlay.errors import ConfigError, RunError
from onlay.reports import Measure
from onlay_train.grid.facts import keys_of, read_facts, write_facts
from onlay_train.grid.others import add
from onlay_train.grid.plan import make_plan
from onlay_train.grid.report.files import as_markdown
from onlay_train.grid.report.tables import searches
from onlay_train.grid.report.writing import looked_at
from onlay_train.grid.shown import Left, described
from onlay_train.grid.state import CellFolder, Failure


def test_a_grid_that_grows_keeps_what_is_done(make, host, root, plan):
    grid = make({"method": [*SCORES, "bitfit"], "train.seed": [0, 1, 2, 3]})
    states = [
        make_plan(grid, host, root, {}).folder(c).state
        for c in make_plan(grid, host, root, {}).cells()
    ]
    assert (states.count("done"), states.count("waiting")) == (9, 7)


def test_other_versions_are_other_cells_unless_they_are_accepted(plan, host, root, monkeypatch):
    from onlay_train.grid import cells
    from onlay_train.grid.others import of_other_versions, same_but_versions

    monkeypatch.setattr(cells, "versions", lambda config, host: {"onlay": "9.9"})
    later = make_plan(plan.grid, host, root, {})
    assert {later.folder(cell).state for cell in later.cells()} == {"waiting"}
    assert any("count with `--accept-versions`" in line for line in of_other_versions(later))
    accepted = make_plan(plan.grid, host, root, {}, same_but_versions(root))
    assert {accepted.folder(cell).state for cell in accepted.cells()} == {"done"}


def test_a_cell_of_its_own_goes_before_one_of_another_version_and_the_newest_of_those(
    plan, host, root, monkeypatch
):
    """All are done by the version at hand and by 9.9 and 9.10, but for one of ours."""
    from onlay_train.grid import cells
    from onlay_train.grid.others import counted_of_others, same_but_versions

    for version in ("9.9", "9.10"):
        monkeypatch.setattr(cells, "versions", lambda config, host, own=version: {"onlay": own})
        other = make_plan(plan.grid, host, root, {})
        for cell in other.cells():
            finish(other.folder(cell), cell, 0.1)
    monkeypatch.undo()
    lost = plan.cells()[0]
    shutil.rmtree(plan.folder(lost).path)
    accepted = make_plan(plan.grid, host, root, {}, same_but_versions(root))
    found, _, told = looked_at(accepted)
    assert [row.cell for row in found.rows] == [cell.name for cell in plan.cells()]
    assert [row.score for row in found.rows][:2] == [10.0, 82.0]
    assert counted_of_others(accepted) == ["1 cells were made by other versions (`onlay` 9.10)"]
    assert "1 cells were made by other versions (`onlay` 9.10)" in told


def test_cells_that_lie_there_and_do_not_count_are_told(plan, make, host, root):
    """Of an earlier grid; and where nothing counts the report says why."""
    fewer = make({"method": ["full", "linear"], "train.seed": [0, 1, 2]})
    _, _, told = looked_at(make_plan(fewer, host, root, {}))
    assert told[-1].startswith("3 cells that are done lie in the folder and do not count")
    other = make({"method": ["full"], "train.seed": [7]})
    assert looked_at(make_plan(other, host, root, {}))[2] == [
        "No cell is done yet.",
        "9 cells that are done lie in the folder and do not count: of another grid, of data or"
        " versions that were others, or copied without their `facts.json`",
    ]


def test_a_method_that_lost_seeds_stands_behind_and_is_told(make, host, root):
    """`noisy` is ahead by its one seed that did not diverge; `full` has none at all."""
    axes = {"method": ["linear", "noisy", "bitfit", "full"], "train.seed": [0, 1, 2]}
    plan = make_plan(make(axes), host, root, {})
    for cell in plan.cells():
        method, seed = cell.labels["method"], cell.labels["train.seed"]
        folder = plan.folder(cell)
        if method == "full" or (method == "noisy" and seed != "0"):
            folder.place(cell)
            folder.fail(Failure("RunError", "the loss is nan", True))
        else:
            finish(folder, cell, {"noisy": 0.9, "bitfit": 0.8, "linear": 0.5}[method])
    found, summary, told = looked_at(plan)
    assert [s.method for s in summary.standings] == ["bitfit", "linear", "noisy"]
    assert told[0].startswith("`bitfit` is ahead with 80.0 %")
    lacks = (
        "`noisy` lacks 2 of 3 cells (2 failed, 2 of them diverged): its mean is of the others"
        " alone, and it stands behind those that lack none."
    )
    none = "`full` has no result at all (3 failed, 3 of them diverged)."
    assert {lacks, none} <= {*told}
    table = as_markdown(found, summary)
    assert lacks in table
    assert none in table


def test_nothing_is_ahead_where_no_two_methods_have_the_same_data(make, host, root):
    axes = {"method": ["linear", "noisy"], "data.classes": [2, 3], "train.seed": [0, 1]}
    plan = make_plan(make(axes), host, root, {})
    for cell in plan.cells():
        if (cell.labels["method"] == "linear") == (cell.labels["data.classes"] == "2"):
            finish(plan.folder(cell), cell, 0.8)
    _, summary, told = looked_at(plan)
    assert len(summary.comparable) == 1
    assert not any("is ahead with" in each or "as good" in each for each in told)


def test_a_score_that_is_no_number_is_a_failure(make, host, root):
    plan = make_plan(make({"method": ["linear", "noisy"], "train.seed": [0, 1]}), host, root, {})
    for cell in plan.cells():
        bad = cell.labels == {"method": "noisy", "train.seed": "1"}
        finish(plan.folder(cell), cell, float("nan") if bad else 0.5)
    found, summary, told = looked_at(plan)
    assert [(lost.method, lost.said) for lost in found.lost] == [("noisy", "its `top1` is nan")]
    assert [standing.overall for standing in summary.standings] == [50.0, 50.0]
    assert not any("nan" in each for each in told)


def test_small_numbers_are_told_apart_and_lower_is_better_in_words(make, host, root):
    """Errors of 0.13 and 0.08 cm: no tie by half a centimetre, and a plus is never a riddle."""
    plan = make_plan(make({"method": ["linear", "noisy"], "train.seed": [0, 1, 2]}), host, root, {})
    scores = {"linear": [0.131, 0.132, 0.135], "noisy": [0.081, 0.083, 0.088]}
    for cell in plan.cells():
        score = scores[cell.labels["method"]][int(cell.labels["train.seed"])]
        finish(plan.folder(cell), cell, score, measure=Measure("cm", better="lower"))
    found, summary, told = looked_at(plan)
    assert summary.margin == 0
    assert told[0].startswith("`noisy` is ahead with 0.084 cm, 0.049 cm better than `linear` (95 %")
    assert told[0].endswith(", plus is better, p < 0.001 after Holm): better.")
    assert told[1].startswith("No other method is as good: `linear`, the next, is 0.049 cm behind")
    table = as_markdown(found, summary)
    assert "| better than linear by |" in table
    assert "| noisy | 0.084 ± 0.004 | +0.049 [" in table


def test_sizes_are_one_data_set_also_with_all_there_is_and_beside_other_numbers(make, host, root):
    """All of them is no other data set, nor is a second axis of numbers."""
    counts = {"10": 10, "20": 20, "all": 60}
    pieces = {label: {"data": {"train": count}} for label, count in counts.items()}
    axes = {"method": ["full", "noisy"], "labels": pieces, "train.seed": [0, 1]}
    plan = make_plan(make(axes), host, root, {})
    for cell in plan.cells():
        finish(plan.folder(cell), cell, 0.5)
    found, _, _ = looked_at(plan)
    assert len(found.sources) == 1
    assert found.sizes == [10.0, 20.0]
    axes = {"method": ["full"], "data.train": [30, 60], "data.classes": [2, 3]}
    plan = make_plan(make(axes), host, root, {})
    for cell in plan.cells():
        finish(plan.folder(cell), cell, 0.5)
    found, _, _ = looked_at(plan)
    assert (len(found.sources), len(found.datasets), found.sizes) == (1, 4, [])


def test_folders_of_two_machines_become_one(make, host, plan, tmp_path):
    """Each has a cell of its own; what is done wins, and nothing is copied twice."""
    here, there = tmp_path / "here", tmp_path / "there"
    cells = plan.cells()
    for number, root in enumerate((here, there)):
        own = CellFolder(root, cells[number].name)
        finish(own, cells[number], 0.5)
        (root / "grid.yaml").write_text("")
    CellFolder(here, cells[1].name).place(cells[1])  # begun here, done there
    assert len(add(here, (there,))) == 1
    assert CellFolder(here, cells[1].name).state == "done"
    assert add(here, (there,)) == []
    write_facts(here / "facts.json", {"a": "failed: no such folder", "b": "1"})
    write_facts(there / "facts.json", {"a": "5", "b": "failed: it is not here", "c": "2"})
    add(here, (there,))
    assert read_facts(here / "facts.json") == {"a": "5", "b": "1", "c": "2"}
    finish(CellFolder(there, cells[0].name), cells[0], 0.25)
    with pytest.raises(RunError, match=f"`{cells[0].name}` has other results"):
        add(here, (there,))
    shutil.rmtree(there / "cells" / cells[0].name)
    with pytest.raises(ConfigError, match="is no folder of a comparison"):
        add(here, (tmp_path / "nothing",))
    from onlay_train.lock import only_writer

    CellFolder(there, cells[2].name).place(cells[2])
    with (
        only_writer(there / "cells" / cells[2].name),
        pytest.raises(RunError, match="being trained"),
    ):
        add(here, (there,))


def test_sizes_with_fewer_seeds_do_not_move_a_difference(make, host, root):
    """`noisy` is 10 points ahead with few items and nothing with many; three of six seeds lack the
    larger size. The mean over both sizes is 5 points, with chance of a tenth: not 7.5 with the
    spread between sizes."""
    axes = {"method": ["full", "noisy"], "data.train": [30, 60], "train.seed": [*range(6)]}
    skip = [{"data.train": 60, "train.seed": seed} for seed in (3, 4, 5)]
    plan = make_plan(make(axes, skip=skip), host, root, {})
    for cell in plan.cells():
        noisy, few = cell.labels["method"] == "noisy", cell.labels["data.train"] == "30"
        own = 0.001 * (int(cell.labels["train.seed"]) % 3) * noisy
        finish(plan.folder(cell), cell, 0.5 + 0.3 * (not few) + 0.1 * (noisy and few) + own)
    _, summary, told = looked_at(plan)
    over = next(s.over for s in summary.standings if s.method == "noisy")
    assert (over.mean, over.seeds) == (pytest.approx(5.1), 3)
    assert over.high - over.low < 0.6
    assert any("are of the seeds that have every one of them, up to 3 fewer" in t for t in told)
    ahead = [text for text in told if text.startswith("By `train`")]
    assert ahead[0] == "By `train`, ahead of all others is `noisy` at 30."
    assert ahead[1].startswith("By `train`, none is told apart from all others at 60")


def test_a_difference_names_the_data_sets_that_it_is_of(make, host, root):
    """`full` has no result on `b`."""
    data = {name: {"data": "stripes", "train": {"epochs": n}} for n, name in enumerate("ab", 1)}
    axes = {"method": ["full", "noisy"], "data": data, "train.seed": [0, 1, 2]}
    plan = make_plan(make(axes), host, root, {})
    for cell in plan.cells():
        labels = cell.labels
        if labels["data"] == "a" or labels["method"] == "noisy":
            wide = 0.01 * int(labels["train.seed"]) * (labels["method"] == "noisy")
            finish(plan.folder(cell), cell, 0.3 + 0.2 * (labels["data"] == "a") + wide)
    told = looked_at(plan)[2]
    assert any("points against `full` on a alone (95 % interval" in text for text in told)


def test_who_had_fewer_trials_than_were_planned_is_named(make, host, root):
    """Of `noisy` two of three diverged; of the others nothing is searched."""
    search = {"keys": {"method.dropout": [0.1, 0.5]}, "trials": 3}
    grid = make({"method": ["noisy", "linear"], "train.seed": [0]}, search=search)
    plan = make_plan(grid, host, root, {})
    for trial in plan.trials():
        if trial.labels["method"] == "noisy" and trial.trial:
            plan.folder(trial).place(trial)
            plan.folder(trial).fail(Failure("DivergedError", "the loss is nan", True))
        else:
            finish(plan.folder(trial), trial, 0.5)
    plan.known.update({k: "0" for _, c in plan.drawn.runs for k in keys_of(c).values()})
    for cell in plan.cells():
        finish(plan.folder(cell), cell, 0.5)
    found, summary, told = looked_at(plan)
    said = [
        "The search of `noisy` came to 1 of 3 trials (2 failed, 2 of them diverged).",
        "`linear` has no key that is searched: its trials are one training.",
    ]
    assert set(said) <= set(told)
    assert all(each in as_markdown(found, summary) for each in said)
    assert "| 1 of 3 |" in as_markdown(found, summary)


def test_a_search_says_which_rates_its_best_quarter_had(make, host, root):
    """Eight trials, one of which diverged: two of seven are a quarter, and those whose rates are
    nearest 1e-3 are the best here. Of four trials a quarter says nothing."""
    search = {"keys": {"train.lr": [1e-4, 1e-2, "log"]}, "trials": 8}
    plan = make_plan(make({"method": ["linear"]}, search=search), host, root, {})
    trials = sorted(plan.trials(), key=lambda t: abs(math.log(t.chosen["train.lr"] / 1e-3)))
    rates = [trial.chosen["train.lr"] for trial in trials]
    for order, trial in enumerate(trials[:-1]):
        finish(plan.folder(trial), trial, 0.9 - order / 10)
    plan.folder(trials[-1]).place(trials[-1])
    plan.folder(trials[-1]).fail(Failure("DivergedError", "the loss is nan", True))
    found = looked_at(plan)[0]
    (own,) = found.searches
    assert own.useful == {"train.lr": (min(rates[:2]), max(rates[:2]))}
    assert own.chosen == trials[0].chosen
    assert f">train.lr {min(rates[:2]):.2g} to {max(rates[:2]):.2g}<" in searches(
        looked_at(plan)[0]
    )
    assert replace(own, drawn=own.drawn[:4]).useful == {}


def test_cells_of_several_machines_are_told_for_their_times(plan):
    for number, cell in enumerate(plan.cells()):
        plan.folder(cell).note(began=1.0, host=f"node{number % 2}", threads=1)
    told = "Cells ran on different machines (node0, node1): times do not compare."
    assert told in looked_at(plan)[2]


def test_a_step_is_timed_without_judging(plan):
    """Ten steps in 2 seconds, of which half a second was theirs."""
    assert {row.step_seconds for row in looked_at(plan)[0].rows} == {0.2}
    for cell in plan.cells():
        plan.folder(cell).run.append({"epoch": 2, "step": 10, "seconds": 2.0, "train_seconds": 0.5})
    assert {row.step_seconds for row in looked_at(plan)[0].rows} == {0.05}


def test_what_is_left_is_told_by_trials_and_cells_apart(make, host, root):
    """Trials of one epoch took 2 seconds; two cells of 40 epochs are to come: 160 seconds."""
    search = {"keys": {"train.lr": [1e-3, 1e-1]}, "trials": 2, "settings": {"train.epochs": 1}}
    axes = {"method": ["noisy"], "train.epochs": [40], "train.seed": [0, 1]}
    plan = make_plan(make(axes, search=search), host, root, {})
    for trial in plan.trials():
        finish(plan.folder(trial), trial, 0.5)
    assert "about 3 min are left with 1 at a time" in described(plan, 1)
    plan.known.update({k: "0" for _, c in plan.drawn.runs for k in keys_of(c).values()})
    finish(plan.folder(plan.cells()[0]), plan.cells()[0], 0.5)  # in 2 seconds
    assert "about 2 s are left with 1 at a time" in described(plan, 1)


def test_time_left_knows_nothing_of_earlier_starts(plan):
    left = Left(plan, time.monotonic() - 30, before=6)
    assert left.after("running") == ""
    assert left.after("done") == " (7 of 9; about 60 s left)"
