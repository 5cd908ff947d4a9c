"""Overrides are data, and presets lie under all else."""

from __future__ import annotations

import pytest
from bend_zoo import (
    BendConfig,
    ZooConfig,
    refusal,
)

from onlay import config
from onlay.config.overrides import merged, overridden
from onlay.tasks.config import ClassificationConfig


def test_lists_in_overrides_are_written_as_in_files() -> None:
    texts = [
        "data.extra=[r, g,1e-3]",
        "data.parts={train: [a, b]}",
        "out=a[/b]c",
        "x=[r",
        "y=[a: {]",
    ]
    assert overridden({}, texts) == {
        "data": {"extra": ["r", "g", 1e-3], "parts": {"train": ["a", "b"]}},
        "out": "a[/b]c", "x": "[r", "y": "[a: {]",
    }  # fmt: skip


# --- overrides


def test_overrides_are_json_where_they_parse():
    data = overridden(
        {"method": {"name": "bend"}},
        [
            "method.rank=4",
            "train.lr=1e-3",
            "data.size=[224,224]",
            "out=runs/x",
            "a.b.c=null",
            "t=no",
        ],
    )
    assert data == {
        "method": {"name": "bend", "rank": 4},
        "train": {"lr": 0.001},
        "data": {"size": [224, 224]},
        "out": "runs/x",
        "a": {"b": {"c": None}},
        "t": "no",
    }


def test_a_later_override_wins_and_the_data_is_left_alone():
    data = {"method": {"name": "bend", "rank": 1}}
    assert overridden(data, ["method.rank=2", "method.rank=3"])["method"]["rank"] == 3
    assert data == {"method": {"name": "bend", "rank": 1}}


def test_overrides_widen_short_forms(data, host):
    run = config.resolve(data, ["method.rank=4", "backbone.img_size=32", "task.dropout=0.5"], host)
    assert run.method == BendConfig(rank=4)
    assert run.backbone == ZooConfig(model="zoo_tiny_16", img_size=32)
    assert run.task == ClassificationConfig(dropout=0.5)


def test_an_override_replaces_a_whole_block(data, host):
    data["method"] = {"name": "bend", "rank": 4}
    assert config.resolve(data, ["method=linear"], host).method.name == "linear"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("method.rank", "`method.rank` is no override: write `key=value`, such as `method.rank=8`"),
        (".rank=3", "`.rank=3` is no override"),
        ("method.rank.x=3", "`method.rank.x=3`: `rank` holds `4`, which has no keys"),
        ("method.rnk=4", "method.rnk: unknown key; did you mean `rank`?"),
    ],
)
def test_wrong_overrides(data, host, override, sentence):
    data["method"] = {"name": "bend", "rank": 4}
    assert sentence in refusal(data, host, override)


# --- presets


def test_own_values_go_before_the_preset(data, host):
    own = {"method": {"name": "bend", "rank": 2}, "preset": "strong", "train": {"lr": 0.1}}
    run = config.resolve(data | own, [], host)
    assert run.method == BendConfig(rank=2, sites=("attn.in", "mlp.in"))
    assert (run.train.lr, run.train.weight_decay) == (0.1, 0.25)
    assert run.preset == "strong"


def test_overrides_go_before_the_preset_too(data, host):
    run = config.resolve(data, ["preset=strong", "method.rank=3", "train.weight_decay=0"], host)
    assert (run.method.rank, run.train.lr, run.train.weight_decay) == (3, 0.5, 0)


def test_a_preset_of_another_modality_says_so_before_its_fields_are_met(data, host):
    assert refusal(data, host, "preset=solid") == (
        "preset `solid` is for `points` data and backbone `zoo_tiny_16` takes `image` data;"
        " `onlay explain bend` lists the presets"
    )


def test_a_preset_of_the_backbones_own_modality(data, host):
    assert config.resolve(data, ["preset=flat"], host).method.rank == 3


def test_merged_is_deep():
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "d": {"e": 5}}) == {
        "a": {"b": 1, "c": 4},
        "d": {"e": 5},
    }
