"""Every combination once, under labels that a table can show; slips in one sentence."""

from __future__ import annotations

import pytest

from onlay.errors import ConfigError
from onlay_train.grid.axes import labels, points
from onlay_train.grid.cells import drawn, resolved


def test_every_combination_is_a_point_and_the_last_axis_moves_first(make, host):
    grid = make({"method": ["noisy", "linear"], "train.seed": [0, 1]})
    assert [tuple(labels(point).values()) for point in points(grid, host)] == [
        ("noisy", "0"),
        ("noisy", "1"),
        ("linear", "0"),
        ("linear", "1"),
    ]


def test_a_list_in_the_place_of_a_number_is_several_entries(make, host):
    grid = make({"method": [{"name": "noisy", "dropout": [0.25, 0.5]}]})
    assert [labels(p)["method"] for p in points(grid, host)] == [
        "noisy(dropout=0.25)",
        "noisy(dropout=0.5)",
    ]
    configs = [resolved(grid, point, host) for point in points(grid, host)]
    assert [config.method.dropout for config in configs] == [0.25, 0.5]


def test_labelled_pieces_of_run_files_are_an_axis(make, host):
    pieces = {"short": {"train": {"epochs": 2}}, "long": {"train": {"epochs": 5}, "method": "full"}}
    grid = make({"method": ["noisy"], "recipe": pieces})
    short, long = (config for _, config in drawn(grid, host).runs)
    assert (short.train.epochs, short.method.name) == (2, "noisy")
    assert (long.train.epochs, long.method.name) == (5, "full")


def test_a_label_with_brackets_is_skipped_as_it_is_called(make, host):
    """For a pattern they would be a choice of letters."""
    wide = {"name": "noisy", "rank": [2, 4]}
    grid = make({"method": [wide]}, skip=[{"method": "noisy(rank=2)"}])
    assert [point["method"].label for point in points(grid, host)] == ["noisy(rank=4)"]
    pieces = {"[a]": {"train": {"lr": 0.1}}, "b": {"train": {"lr": 0.2}}}
    grid = make({"method": ["noisy"], "pace": pieces}, skip=[{"pace": "[a]"}])
    assert [point["pace"].label for point in points(grid, host)] == ["b"]


def test_what_is_skipped_matches_all_of_an_entry(make, host):
    axes = {"method": ["noisy", "linear"], "train.seed": [0, 1]}
    grid = make(axes, skip=[{"method": "no*", "train.seed": 1}])
    assert len(points(grid, host)) == 3
    grid = make(axes, skip=[{"method": "linear"}, {"train.seed": 0}])
    assert [tuple(labels(p).values()) for p in points(grid, host)] == [("noisy", "1")]


def test_a_list_leaves_out_each_of_its_values(make, host):
    axes = {"method": ["noisy", "linear", "full"], "train.seed": [0, 1, 2]}
    grid = make(axes, skip=[{"method": ["lin*", "full"], "train.seed": [0, 2]}])
    assert [tuple(labels(p).values()) for p in points(grid, host)] == [
        ("noisy", "0"),
        ("noisy", "1"),
        ("noisy", "2"),
        ("linear", "1"),
        ("full", "1"),
    ]


def test_a_list_that_is_a_value_leaves_out_that_one(make, host):
    grid = make(
        {"method": ["noisy"], "train.swa": [[0.5, 1], [0.7, 1]]}, skip=[{"train.swa": [0.5, 1]}]
    )
    assert [point["train.swa"].given for point in points(grid, host)] == [[0.7, 1]]


@pytest.mark.parametrize(
    ("axes", "more", "said"),
    [
        ({"methd": ["arc"]}, {}, "grid.methd: is no field of a run (have: backbone, method"),
        ({"method": ["noisy", "noisy"]}, {}, "grid.method: `noisy` is there twice"),
        ({"method": []}, {}, "grid.method: has no values"),
        (
            {"method": ["noisy"]},
            {"skip": [{}]},
            "skip: an entry is empty, and would leave out every cell",
        ),
        (
            {},
            {"skip": [{"method": "nosy"}]},
            "skip.method: `nosy` is none of its values (have: noisy)",
        ),
        (
            {},
            {"skip": [{"method": ["noisy", "nosy"]}]},
            "skip.method: `nosy` is none of its values (have: noisy)",
        ),
        (
            {},
            {"skip": [{"method": []}]},
            "skip.method: `[]` is none of its values (have: noisy)",
        ),
        (
            {},
            {"skip": [{"data": "x"}]},
            "skip: `data` is no axis (have: method)",
        ),
        ({"train.lrr": [1]}, {}, "did you mean `lr`? (in the cell method=noisy, train.lrr=1)"),
        ({"method": ["noisi"]}, {}, "did you mean `noisy`?"),
    ],
)
def test_a_slip_is_one_sentence(make, host, axes, more, said):
    with pytest.raises((ConfigError, LookupError)) as caught:
        drawn(make({"method": ["noisy"]} | axes, **more), host)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
