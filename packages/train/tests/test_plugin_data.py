"""What data sets and backbones of plugins can get wrong, refused in a sentence before training; and
what they seed changes no run."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from rich.console import Console
from torch.utils.data import Dataset

from onlay import hookimpl
from onlay.descriptors import Modality
from onlay.errors import DataError, PluginError
from onlay.settings import Config
from onlay.tasks.classification import ClassificationHead
from onlay_train.run import train


class Items(Dataset[Any]):
    """Of some classes, which it tells without being read or not."""

    def __init__(self, *classes: int, told: bool = True) -> None:
        self.classes = classes
        if told:
            self.targets = torch.tensor(classes)

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, index: int) -> Any:
        return torch.zeros(3, 8, 8), self.classes[index]


@pytest.fixture
def changed(configure, host, quiet, monkeypatch):
    """`changed(change)`: a small run whose data set is changed so."""
    module = sys.modules["tiny_plugin"]
    build = module.build_stripes

    def run(change: Any, *words: str, console: Console = quiet) -> Any:
        monkeypatch.setattr(module, "build_stripes", lambda *given: change(build(*given)))
        return train(configure("train.epochs=1", *words), host, console=console)

    return run


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test": Items()}, "the test part of `stripes` has no items"),
        ({"validation": Items()}, "the validation part of `stripes` has no items"),
        ({"train": None}, "`stripes` has no training part"),
        ({"labels": ("a", "b", "a", "d")}, "`stripes` has the class `a` more than once"),
        ({"labels": (0, 1, 2, 3)}, "`stripes` calls a class 0, which is no text"),
        ({"facts": {"notes": "left out"}}, "is one text, and not a sequence"),
        ({"facts": {"counts": 7}}, "`facts\\['counts'\\]` has no mapping of classes for each part"),
        ({"facts": {"counts": {"train": [1, 2]}}}, "has no mapping of classes for each part"),
        (
            {"train": Items(0, 1, -100), "targets": "class"},
            "the train part of `stripes` has an item of class -100, and the classes are 0 to 3",
        ),
        ({"test": Items(0, 4), "targets": "class"}, "the test part of `stripes` has an item of cl"),
        ({"test": Items(0, 4, told=False)}, "a target is 4, and the classes are 0 to 3"),
    ],
)
def test_data_that_cannot_be_used_are_refused(changed, changes, said):
    with pytest.raises(DataError, match=said):
        changed(lambda splits: replace(splits, **changes))


def fails(error: BaseException) -> Any:
    def change(splits: Any) -> Any:
        raise error

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda splits: None, "TypeError: its `build` gives a `NoneType`, no `onlay.data.Splits`"),
        (lambda splits: (splits, splits), "TypeError: its `build` gives a `tuple`"),
        (fails(ValueError("no such lead")), "ValueError: no such lead"),
        (fails(SystemExit(3)), "SystemExit: 3"),
    ],
)
def test_a_data_set_whose_code_fails_is_named_with_its_plugin(changed, change, said):
    whose = r"dataset `stripes` of plugin `.*tiny_plugin.* failed: "
    with pytest.raises(PluginError, match=whose + said):
        changed(change)


def test_what_files_refuse_stays_as_it_is(changed):
    with pytest.raises(FileNotFoundError, match=r"stripes\.csv"):
        changed(fails(FileNotFoundError(2, "No such file", "stripes.csv")))


def test_a_backbone_that_is_none_is_named_with_its_plugin(configure, host, quiet, monkeypatch):
    monkeypatch.setattr(
        sys.modules["tiny_plugin"], "build_backbone", lambda config: torch.nn.Linear(1, 1)
    )
    said = (
        "backbone `tiny` of plugin `.*tiny_plugin.* failed: TypeError: its `build` gives a `Linear`"
    )
    with pytest.raises(PluginError, match=said):
        train(configure(), host, console=quiet)


class Facts(Config):
    """How a picture is read."""

    length: int
    """In samples."""


class OfPictures:
    """Brings the modality of the small run."""

    @hookimpl
    def register_modalities(self) -> Any:
        facts = f"{__name__}:Facts"
        yield Modality(
            name="image",
            reader="no:reader",
            suffixes=frozenset({".x"}),
            summary="pictures",
            preprocessing=facts,
        )


@pytest.mark.parametrize(("facts", "says"), [({}, True), ({"length": 8}, False)])
def test_data_with_which_no_file_can_be_read_are_told_before_training(
    changed, host, capsys, facts, says
):
    host.add(OfPictures(), name="pictures")
    changed(lambda splits: replace(splits, preprocessing=facts), console=Console(width=200))
    said = "warning: the data say too little for `onlay predict`: `preprocessing.length`: Field req"
    assert (said in capsys.readouterr().out) == says


def seeded(given: Any) -> Any:
    torch.manual_seed(7)
    return given


class Seeding:
    """Of a plugin that seeds where it is told of a backbone."""

    @hookimpl
    def backbone_built(self, built: Any) -> None:
        torch.manual_seed(7)


@pytest.mark.parametrize("where", ["data", "backbone", "hook"])
def test_a_plugin_that_seeds_torch_leaves_runs_their_own_seeds(
    configure, host, quiet, monkeypatch, where
):
    """Else all seeds of a comparison would begin with the same weights."""

    def losses(out: str) -> list[float]:
        given = ("train.epochs=1", "train.lr=1e-9")
        runs = [configure(f"train.seed={seed}", *given, out=f"{out}{seed}") for seed in (0, 1)]
        return [train(run, host, console=quiet).metrics["test_loss"] for run in runs]

    expected, module = losses("plain"), sys.modules["tiny_plugin"]
    name = {"data": "build_stripes", "backbone": "build_backbone"}.get(where)
    if name is None:
        host.add(Seeding(), name="seeding")
    else:
        build = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: seeded(build(*given)))
    assert losses(where) == expected
    assert expected[0] != expected[1]


def test_a_loss_that_is_no_number_is_not_left_out_of_the_mean(changed, monkeypatch):
    """With one batch of ten, and with ten of one, it is the same figure."""
    loss = ClassificationHead.loss

    def once(self: Any, output: Any, targets: Any) -> Any:
        found = loss(self, output, targets)
        return found if self.training else found * (float("nan") if (targets == 0).any() else 1)

    monkeypatch.setattr(ClassificationHead, "loss", once)
    summary = changed(lambda splits: splits, "train.eval_batch_size=1")
    assert summary.metrics["test_loss"] != summary.metrics["test_loss"]
