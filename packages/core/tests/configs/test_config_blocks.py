"""Blocks of a run: one of the registered, short forms, what fits together."""

from __future__ import annotations

from pathlib import Path

import pytest
from bend_zoo import (
    BendConfig,
    ZooConfig,
    refusal,
)

from onlay import config
from onlay.errors import OnlayError
from onlay.host.firstparty import install
from onlay.tasks.config import ClassificationConfig


def test_numbers_are_finite(data, host):
    assert refusal(data, host, "train.lr=nan") == "train.lr: must be a finite number"
    assert "finite" in refusal(data | {"train": {"lr": float("inf")}}, host)


# --- one of the registered


def test_short_forms_and_defaults(data, host):
    run = config.resolve(data, [], host)
    assert run.method == BendConfig()
    assert run.backbone == ZooConfig(model="zoo_tiny_16")
    assert run.task == ClassificationConfig()
    assert run.out == Path("runs/zoo_tiny_16-bend")
    assert run.plugins == {"onlay": "0.2.0", "onlay-fake": "4.2"}


def test_configuration_objects_are_taken_as_they_are(data, host):
    method = BendConfig(rank=3)
    assert config.resolve(data | {"method": method}, [], host).method is method
    assert config.parse("method", method, host) is method


@pytest.mark.parametrize("value", ["bend", {"name": "bend"}, {"name": "bend", "rank": 8}])
def test_parse(value, host):
    assert config.parse("method", value, host) == BendConfig()


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ({"name": "bend", "rank": 0}, "method.rank: must be greater than 0"),
        ({"name": "bend", "rnk": 8}, "method.rnk: unknown key; did you mean `rank`?"),
        (
            {"name": "bend", "x": 8},
            "method.x: unknown key; have: name, rank, sites, depth, last_blocks",
        ),
        (
            {"name": "bend", "depth": {"fist": 1}},
            "method.depth.fist: unknown key; did you mean `first`?",
        ),
        ({"name": "bend", "rank": "wide"}, "method.rank: must be a valid integer (got `wide`)"),
        (
            {"name": "bend", "rank": -1, "depth": {"first": -1}},
            "method.rank: must be greater than 0; "
            "method.depth.first: must be greater than or equal to 0",
        ),
        (
            {"name": "bend", "sites": ["attn.in", "q"]},
            "method.sites.1: must be 'attn.in' or 'mlp.in' (got `q`)",
        ),
        ({"rank": 8}, "method: `name` is missing (have: bend, bitfit, full, linear)"),
        (7, "method: must be a name or a block with a `name`"),
        (
            "bent",
            "no method `bent` is installed (have: bend, bitfit, full, linear); "
            "did you mean `bend`?",
        ),
        (
            "iconformer",
            "no method `iconformer` is installed (have: bend, bitfit, full, linear); "
            f"it comes with `onlay-iconformer`: {install('onlay-iconformer')}",
        ),
    ],
)
def test_errors_are_one_sentence_with_a_short_place(data, host, method, sentence):
    assert refusal(data | {"method": method}, host) == sentence
    with pytest.raises(OnlayError) as told:
        config.parse("method", method, host)
    assert str(told.value) == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"metod": "bend"}, "metod: unknown key; did you mean `method`?"),
        ({"train": {"learning": 1}}, "train.learning: unknown key"),
        ({"train": 5}, "train: must be a block of settings (got `5`)"),
        ({"fold": 9}, "fold: say of how many, too: `fold.of=10 fold.fold=9`"),
        ({"train": {"opt_kwargs": 3}}, "train.opt_kwargs: must be names with values (got `3`)"),
        ({"train": {"lr": "fast"}}, "train.lr: must be a valid number (got `fast`)"),
        ({"data": {"name": "photos"}}, "data.root: is missing"),
        ({"task": {"label_smoothing": 1}}, "task.label_smoothing: must be less than 1"),
        ({"train": {"lr.x": 1}}, "train.lr.x: unknown key"),
        ({"data": {"name": "photos", "root": 3}}, "data.root: must be a path (got `3`)"),
        (
            {"task": {"class_weights": "balancd"}},
            "task.class_weights: must be 'none' or 'balanced' or must be a list (got `balancd`)",
        ),
        (
            {"task": {"class_weights": [1, -2]}},
            "task.class_weights.1: must be greater than or equal to 0",
        ),
        ({"train": {"opt_betas": [1, 1, 1]}}, "train.opt_betas: must have at most 2 items, not 3"),
        ({"task": {"pool": "median"}}, "task.pool: must be of `pretrained`, `cls`"),
        ({"backbone": "zoo_bundle"}, "no backbone `zoo_bundle` is installed"),
        ({"backbone": "zoo_bundle"}, "did you mean `zoo_bundled`?"),
        ({"backbone": "point_mae"}, "pip install --find-links dist onlay-pointcloud`"),
        (
            {"preset": "strng"},
            "method `bend` has no preset `strng` (have: strong, solid, flat); did you mean",
        ),
    ],
)
def test_errors_of_a_run(data, host, change, sentence):
    assert sentence in refusal(data | change, host)


def test_a_missing_block_is_told(host):
    assert refusal({"method": "bend"}, host) == "backbone: is missing; data: is missing"


# --- what fits together


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"backbone": "zoo_points"},
            "method `bend` needs a backbone that provides `grid`, "
            "and `zoo_points` provides `points`",
        ),
        ({"backbone": "swin_tiny"}, "method `bend` cannot run on `swin_tiny`: its widths differ"),
        (
            {"data": "clouds"},
            "data set `clouds` holds points data and backbone `zoo_tiny_16` takes image data",
        ),
    ],
)
def test_a_misfit_is_told_before_anything_is_built(data, host, change, sentence):
    assert refusal(data | change, host) == sentence
