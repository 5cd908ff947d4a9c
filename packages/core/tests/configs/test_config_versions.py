"""Files of older and newer schemas."""

from __future__ import annotations

import pytest
from bend_zoo import (
    DATA,
    BendConfig,
    BundledConfig,
    Depth,
    refusal,
)

from onlay import config
from onlay.config.run import RunConfig
from onlay.tasks.config import ClassificationConfig

# --- schema versions


def test_an_old_file_is_brought_up_one_step_at_a_time(host):
    run = config.load(DATA / "bend_v1.yaml", [], host)
    assert run.method == BendConfig(rank=6, depth=Depth(first=1))


def test_from_version_two_only_the_second_step_is_made(host):
    method = config.parse("method", {"name": "bend", "$v": 2, "rank": 5}, host)
    assert method == BendConfig(rank=5, depth=Depth(first=1))


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"method": {"name": "bend", "$v": 4}}, "method: written by a newer version (schema 4"),
        ({"method": {"name": "bend", "$v": "x"}}, "method: `$v` must be a whole number"),
        ({"$v": 2}, "written by a newer version (schema 2, this one reads 1)"),
    ],
)
def test_newer_files_are_refused_in_words(data, host, block, sentence):
    assert sentence in refusal(data | block, host)


def test_an_override_is_in_the_words_of_today(host):
    """Over a file of schema 1, whose migration would put `bottleneck` in its place."""
    assert config.load(DATA / "bend_v1.yaml", ["method.rank=9"], host).method.rank == 9


def test_a_later_version_of_our_own_settings(data, host, monkeypatch):
    """Made up: once `label_smoothing` was `smoothing`, and `epochs` stood on top."""

    def of_the_task(cls, data, version):
        return {"label_smoothing": data.pop("smoothing"), **data}

    def of_the_run(cls, data, version):
        train = {"epochs": data.pop("epochs"), **data.pop("train")}
        return {**data, "train": train}

    for cls, migrate in ((ClassificationConfig, of_the_task), (RunConfig, of_the_run)):
        monkeypatch.setattr(cls, "schema_version", 2)
        monkeypatch.setattr(cls, "migrate", classmethod(migrate))
    task = {"name": "classification", "smoothing": 0.25, "$v": 1}
    old = data | {"task": task, "epochs": 7, "train": {"lr": 0.5}, "$v": 1}
    run = config.resolve(old, ["train.seed=3"], host)
    assert run.task.label_smoothing == 0.25
    assert (run.train.epochs, run.train.lr, run.train.seed) == (7, 0.5, 3)
    assert config.resolve(old, ["train.epochs=2", "task.label_smoothing=0"], host).train.epochs == 2
    assert old["task"] == {"name": "classification", "smoothing": 0.25, "$v": 1}
    assert old["epochs"] == 7
    again = config.resolve(run.model_dump(mode="json"), [], host)
    assert again == run
    assert run.model_dump(mode="json")["$v"] == 2


@pytest.mark.parametrize(
    ("migrate", "reason"),
    [
        (None, "NotImplementedError: BundledConfig has no migration from schema 1"),
        (lambda cls, data, version: {"model": data["network"]}, "KeyError: 'network'"),
        (lambda cls, data, version: data.update(model="x"), "it gave a `NoneType`"),
    ],
)
def test_a_migration_that_fails_is_told_as_its_authors_mistake(
    data, host, monkeypatch, migrate, reason
):
    monkeypatch.setattr(BundledConfig, "schema_version", 2)
    if migrate is not None:
        monkeypatch.setattr(BundledConfig, "migrate", classmethod(migrate))
    assert refusal(data | {"backbone": {"name": "zoo_bundled", "$v": 1}}, host) == (
        "backbone: written by an older version (schema 1, this one reads 2), and"
        f" `BundledConfig.migrate` fails ({reason}): tell the authors of the package that brings it"
    )
