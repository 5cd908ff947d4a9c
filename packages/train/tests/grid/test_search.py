"""What trials draw: the same for all methods, in range, whole where a field is."""

from __future__ import annotations

import math

import pytest
from summaries import summary

from onlay.errors import ConfigError
from onlay_train.grid.cells import drawn
from onlay_train.grid.facts import VARIES, keys_of
from onlay_train.grid.file import SearchConfig
from onlay_train.grid.plan import make_plan
from onlay_train.grid.search import best, nearest, scaled, searched_fields, values
from onlay_train.grid.state import Failure

KEYS = {"train.lr": (1e-4, 1e-2, "log"), "method.dropout": (0.1, 0.9), "train.batch_size": (2, 6)}
SEARCH = SearchConfig(keys=KEYS, trials=3)


def test_shares_of_a_range_by_hand():
    assert scaled((1e-4, 1e-2, "log"), 0.5, False) == 1e-3
    assert scaled((0.0, 10.0), 0.25, False) == 2.5
    assert scaled((2.0, 6.0), 0.9, True) == 6
    assert type(scaled((2.0, 6.0), 0.5, True)) is int


def test_methods_draw_the_same_and_lack_what_they_have_not(make, host):
    runs = drawn(make({"method": ["noisy", "linear"]}), host).runs
    noisy, linear = (searched_fields(SEARCH, config) for _, config in runs)
    assert noisy == {"train.lr": False, "method.dropout": False, "train.batch_size": True}
    assert linear == {"train.lr": False, "train.batch_size": True}
    for trial in range(3):
        full, less = values(SEARCH, noisy, trial), values(SEARCH, linear, trial)
        assert {key: full[key] for key in less} == less
        assert 1e-4 <= full["train.lr"] <= 1e-2
        assert full["train.batch_size"] in (2, 3, 4, 5, 6)
    assert len({values(SEARCH, noisy, trial)["train.lr"] for trial in range(3)}) == 3


def test_trials_have_one_seed_of_their_own_and_never_see_the_test_part(make, host, root):
    search = {"keys": {"train.lr": [1e-4, 1e-2, "log"]}, "trials": 3}
    grid = make({"method": ["noisy", "linear"], "train.seed": [0, 1]}, search=search)
    plan = make_plan(grid, host, root, {})
    assert [len(group.trials) for group in plan.groups.values()] == [3, 3]
    trains = [trial.config["train"] for trial in plan.trials()]
    assert {(train["seed"], train["evaluate_test"]) for train in trains} == {(99, False)}
    assert plan.cells() == []
    assert plan.size == 6 + 4


def test_values_between_those_that_are_searched_take_the_nearest(make, host, root):
    search = {"keys": {"train.lr": [1e-4, 1e-2]}, "trials": 1, "at": {"train.epochs": [2, 20]}}
    grid = make({"method": ["noisy"], "train.epochs": [1, 2, 5, 20]}, search=search)
    plan = make_plan(grid, host, root, {})
    assert [trial.config["train"]["epochs"] for trial in plan.trials()] == [2, 20]
    assert [nearest(n, (2, 20)) for n in (1, 2, 5, 6, 7, 20, 50)] == [2, 2, 2, 2, 20, 20, 20]
    assert (nearest(None, (20, 2)), nearest("all", ["20", "2"])) == (20, "20")


@pytest.mark.parametrize("axis", ["method", "backbone"])
def test_each_method_has_a_search_of_its_own(make, host, root, axis):
    axes = {"method": ["noisy", "linear"], "backbone": ["tiny"]}
    search = {"keys": {"train.lr": [1e-4, 1e-2]}, "trials": 1, "at": {axis: [axes[axis][0]]}}
    with pytest.raises(ConfigError, match=f"search.at: `{axis}` cannot be there"):
        make_plan(make(axes, search=search), host, root, {})


def test_trials_train_on_nothing_that_other_draws_are_tested_on(make, host, root):
    """What was read said that another `split_seed` has another test part. One draw, or no search,
    is no danger."""
    search = {"keys": {"train.lr": [1e-4, 1e-2]}, "trials": 1}

    def planned(seeds, search=search):
        data = {"parts": {"data": "folded_stripes"}}
        grid = make({"method": ["linear"], "data": data, "data.split_seed": seeds}, search=search)
        runs = make_plan(grid, host, root, {}).drawn.runs
        known = {k: "0" for _, config in runs for k in keys_of(config).values()}
        return make_plan(grid, host, root, known | {key + VARIES: "yes" for key in known})

    with pytest.raises(ConfigError, match=r"set `data.test_seed: 0`, and the test part is one"):
        planned([0, 1])
    planned([0, 1], search=None)
    planned([0])


def test_trials_train_on_nothing_that_other_folds_are_tested_on(make, host, root):
    """Also where an axis calls its pieces otherwise; one fold, or no search, is no danger."""
    search = {"keys": {"train.lr": [1e-4, 1e-2]}, "trials": 1}
    folds = {str(n): {"fold": {"of": 2, "fold": n}} for n in range(2)}
    grid = make({"method": ["linear"], "fold": folds}, search=search)
    with pytest.raises(
        ConfigError, match=r"make a grid of each fold \(`base: {fold: {of: 5, fold: 0"
    ):
        make_plan(grid, host, root, {})
    assert make_plan(make({"method": ["linear"], "fold": folds}), host, root, {}).size == 2
    alone = make({"method": ["linear"], "fold": {"1": folds["1"]}}, search=search)
    assert make_plan(alone, host, root, {}).size == 2
    apart = make({"method": ["linear"], "part": folds}, search=search)
    assert make_plan(apart, host, root, {}).size == 4


def test_a_part_of_a_grid_brings_the_trials_that_it_waits_for(make, host, root):
    """Searched at 2 and 20 epochs, with labels of the first seed."""
    search = {"keys": {"train.lr": [1e-4, 1e-2]}, "trials": 3, "at": {"train.epochs": [2, 20]}}
    axes = {"method": ["noisy", "linear"], "train.epochs": [1, 2, 20], "train.seed": [0, 1]}
    grid = make(axes, search=search)
    only = {"train.epochs": ["1"], "train.seed": ["1"], "method": ["no*"]}
    plan = make_plan(grid, host, root, {}, only=only)
    assert plan.size == 1 + 3
    assert {trial.labels["method"] for trial in plan.trials()} == {"noisy"}
    assert {trial.labels["train.epochs"] for trial in plan.trials()} == {"2"}


def test_several_values_of_one_axis_may_be_asked_for(make, host, root):
    grid = make({"method": ["noisy", "linear", "bitfit"], "train.seed": [0, 1]})
    plan = make_plan(grid, host, root, {}, only={"method": ["noisy", "lin*"], "train.seed": ["1"]})
    assert [cell.labels["method"] for cell in plan.cells()] == ["noisy", "linear"]
    with pytest.raises(ConfigError, match="--only method=nosy: no cell is called so"):
        make_plan(grid, host, root, {}, only={"method": ["linear", "nosy"]})


@pytest.mark.parametrize(
    ("axes", "search", "said"),
    [
        ({"train.lr": [1e-3, 1e-1]}, {}, "`train.lr` is said by `0.001` of the axis `train.lr`"),
        ({"pace": {"fast": {"train": {"lr": 0.1}}}}, {}, "said by `fast` of the axis `pace`"),
        ({}, {"settings": {"train.lr": 1e-3}}, "search.settings: `train.lr` is searched"),
        ({"train.epochs": [1, 9]}, {"at": {"train.epochs": [1]}}, "no search is left for the cell"),
    ],
)
def test_a_search_takes_the_place_of_nothing_that_was_said(make, host, root, axes, search, said):
    keys = {"keys": {"train.lr": [1e-4, 1e-2]}, "trials": 2, **search}
    skip = [{"train.epochs": 1}] if "train.epochs" in axes else []
    grid = make({"method": ["linear"], **axes}, search=keys, skip=skip)
    with pytest.raises(ConfigError, match=said):
        make_plan(grid, host, root, {})


def test_a_table_compares_no_training_with_itself(make, host, root):
    """The axis wins over the recipe, and how large batches of an evaluation are changes nothing."""
    recipe = {"short": {"train": {"epochs": 1}}, "long": {"train": {"epochs": 2}}}
    for axes in ({"recipe": recipe, "train.epochs": [3]}, {"train.eval_batch_size": [2, 4]}):
        plan = make_plan(make({"method": ["linear"], **axes}), host, root, {})
        with pytest.raises(ConfigError, match="are one training"):
            plan.cells()


def test_a_size_that_is_not_worked_out_yet_names_no_cell(make, host, root):
    """Else the number that stands in for it would be another cell's."""
    axes = {"method": ["noisy", {"name": "noisy", "rank": {"as_large_as": "noisy"}}]}
    plan = make_plan(make(axes), host, root, {})
    assert [cell.labels["method"] for cell in plan.cells()] == ["noisy"]
    assert (plan.unnamed, plan.size) == (1, 2)


def test_the_best_trial_is_the_first_of_equal_ones_and_never_a_nan():
    nan = float("nan")
    assert best([summary(nan), summary(0.5), summary(0.7), summary(0.7)]) == 2
    assert best([summary(0.5, "lower"), summary(0.3, "lower")]) == 1
    assert best([summary(nan)]) is None


def make_more(grid, trials):
    return grid.model_copy(update={"search": grid.search.model_copy(update={"trials": trials})})


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "qmc"])
def test_a_sampler_that_learns_draws_the_same_again_from_the_folders_alone(
    make, host, root, sampler
):
    """Two a batch; the third batch waits for what the second came to; each start asks anew."""
    pytest.importorskip("cmaes")
    pytest.importorskip("optuna")
    keys = {"train.lr": [1e-4, 1e-2, "log"], "train.batch_size": [2, 6]}
    search = {"keys": keys, "trials": 7, "sampler": sampler, "batch": 2, "seed": 9}
    grid = make({"method": ["linear"], "train.seed": [0, 1]}, search=search)
    plan, names = make_plan(grid, host, root, {}), []
    assert plan.size == 7 + 2
    for ended in (0, 2, 4, 6, 7):
        trials = plan.trials()
        assert [trial.name for trial in trials][:ended] == names[:ended]
        assert len(trials) == min(ended + 2, 7)
        names = [trial.name for trial in trials]
        for trial in trials[ended:]:
            assert plan.choice(next(iter(plan.groups))) is None
            folder = plan.folder(trial)
            folder.place(trial)
            if trial.trial == 1:
                folder.fail(Failure("RunError", "no"))
            else:  # the best is at 3e-3
                score = 1 - abs(math.log(trial.chosen["train.lr"] / 3e-3))
                folder.run.summary.write_text(summary(score).text())
    again, key = make_plan(grid, host, root, {}), next(iter(plan.groups))
    assert [trial.name for trial in again.trials()] == names
    more = make_plan(make_more(grid, 20), host, root, {}).trials()
    assert [trial.name for trial in more][:7] == names  # a search that grows begins as it did
    rates = [trial.chosen["train.lr"] for trial in trials if trial.trial != 1]
    best_rate = min(rates, key=lambda rate: abs(math.log(rate / 3e-3)))
    assert again.choice(key)["train.lr"] == plan.choice(key)["train.lr"] == best_rate
    assert {trial.chosen["train.batch_size"] for trial in again.trials()} <= {2, 3, 4, 5, 6}
    assert len({trial.chosen["train.lr"] for trial in again.trials()}) == 7


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"keys": {"train.lr": [1e-2, 1e-4]}}, "the least value 0.01 is not below the largest"),
        ({"keys": {"train.lr": [0, 1, "log"]}}, "`log` needs values above 0"),
        ({"keys": {"train.sched": [1, 2]}}, "`train.sched` holds no number, and has no range"),
        ({"keys": {"method.scael": [1, 2]}}, "no run of this grid has a field `method.scael`"),
        ({"keys": {"train.lr": [1, 2]}, "sampler": "tp"}, "search.sampler"),
        ({"keys": {"train.lr": [1, 2]}, "seed": 1}, "search.seed: 1 is a seed of the grid, too"),
        ({"keys": {"train.lr": [1, 2]}, "at": {"data": [1]}}, "search.at: `data` is no axis"),
        ({"keys": {"train.lr": [1, 2]}, "at": {"train.seed": [7]}}, "7 is no value of the axis"),
    ],
)
def test_a_slip_is_one_sentence(make, host, root, search, said):
    def planned() -> None:
        axes = {"method": ["noisy"], "train.seed": [0, 1]}
        make_plan(make(axes, search={"trials": 1, **search}), host, root, {})

    with pytest.raises(ConfigError) as caught:
        planned()
    assert said in str(caught.value)
