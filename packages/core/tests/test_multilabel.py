"""Several labels for each input, by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from onlay.data import Splits
from onlay.errors import ConfigError, DataError
from onlay.tasks.config import MultilabelConfig
from onlay.tasks.multilabel import MultilabelHead
from onlay.testing import task_checks

LABELS = ("cat", "dog", "red")


def head(**settings: Any) -> MultilabelHead:
    return MultilabelHead(MultilabelConfig(**settings), 2, LABELS)


def splits(targets: list[list[int]]) -> Splits:
    items: Any = [(torch.zeros(2), torch.tensor(row)) for row in targets]
    facts: Any = {"validation": None, "test": None, "preprocessing": {}}
    return Splits(train=items, labels=LABELS, **facts)


def logits(*probabilities: float) -> Tensor:
    return torch.logit(torch.tensor([probabilities]))


TARGETS = torch.tensor([[1, 0, 0]])
LOSSES = [
    ({}, (-log(0.8) - log(0.2) - log(0.97)) / 3),
    (
        {"loss": "focal"},
        (0.25 * 0.2**2 * -log(0.8) + 0.75 * 0.8**2 * -log(0.2) + 0.75 * 0.03**2 * -log(0.97)) / 3,
    ),
    (
        {"loss": "focal", "alpha": None, "gamma": 1.0},
        (0.2 * -log(0.8) + 0.8 * -log(0.2) + 0.03 * -log(0.97)) / 3,
    ),
    # 0.8 - 0.05 = 0.75, and 0.03 - 0.05 is below 0
    ({"loss": "asymmetric"}, (0.2 * -log(0.8) + 0.75**4 * -log(0.25)) / 3),
    (
        {"loss": "asymmetric", "clip": 0.0, "gamma_pos": 0.0, "gamma_neg": 2.0},
        (-log(0.8) + 0.8**2 * -log(0.2) + 0.03**2 * -log(0.97)) / 3,
    ),
    ({"pos_weight": (3.0, 9.0, 9.0)}, (-3 * log(0.8) - log(0.2) - log(0.97)) / 3),
    (
        {"label_smoothing": 0.2},
        -(0.9 * log(0.8) + 0.1 * log(0.2) + 0.1 * log(0.8) + 0.9 * log(0.2)
          + 0.1 * log(0.03) + 0.9 * log(0.97)) / 3,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "expected"), LOSSES)
def test_losses(settings: dict[str, Any], expected: float) -> None:
    loss = head(**settings).loss(logits(0.8, 0.8, 0.03), TARGETS)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


ROOTS = [{"loss": "focal", "gamma": 0.5}, {"loss": "asymmetric", "gamma_neg": 0.5, "clip": 0.1}]


@pytest.mark.parametrize("settings", [*(own for own, _ in LOSSES), *ROOTS])
def test_gradients_are_finite_far_out(settings: dict[str, Any]) -> None:
    far = torch.tensor([[-200.0, 200.0, 0.0], [200.0, -200.0, 0.05]], requires_grad=True)
    head(**settings).loss(far, torch.tensor([[1, 0, 1], [1, 0, -1]])).backward()
    assert far.grad is not None
    assert far.grad.isfinite().all()


def test_what_is_unknown_is_left_out() -> None:
    own, targets = head(), torch.tensor([[1, -1, -1], [-1, 0, 1]])
    given = torch.cat([logits(0.8, 0.1, 0.1), logits(0.5, 0.2, 0.5)])
    expected = (-log(0.8) - log(0.8) - log(0.5)) / 3
    assert own.loss(given, targets).item() == pytest.approx(expected, rel=1e-5)
    nothing = torch.full((2, 3), -1)
    assert own.loss(given.requires_grad_(), nothing).item() == 0
    shares = [own.weight_of(part) for part in (targets[:1], targets[1:])]
    assert shares == [1, 2]
    parts = [own.loss(given[n : n + 1], targets[n : n + 1]) * 2 * (n + 1) / 3 for n in range(2)]
    assert sum(parts).item() / 2 == pytest.approx(expected, rel=1e-5)
    own.prepare(splits([[1, 0, 0], [0, 1, 1]]))
    assert own.train().weight_of(targets) is None
    assert own.eval().weight_of(targets) == 3  # what is judged may have gaps all the same


def test_mixed_targets_know_what_both_know() -> None:
    own = head()
    one, other = own.soft_targets(torch.tensor([[1, 0, -1], [0, 1, 1]]))
    mixed = (0.25 * one + 0.75 * other).unsqueeze(0)
    expected = -(0.25 * log(0.8) + 0.75 * log(0.2) + 0.75 * log(0.6) + 0.25 * log(0.4)) / 2
    assert own.loss(logits(0.8, 0.6, 0.5), mixed).item() == pytest.approx(expected, rel=1e-5)


def test_balanced_positives_come_from_the_data_and_travel() -> None:
    """`cat`: 1 with, 3 without; `dog`: 2 with, 1 without, 1 unknown; all are `red`."""
    own = head(pos_weight="balanced")
    with pytest.raises(ConfigError, match=r"model\.prepare\(splits\)"):
        own.loss(logits(0.5, 0.5, 0.5), TARGETS)
    own.prepare(splits([[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, -1, 1]]))
    assert own.pos_weight is not None
    assert own.pos_weight.tolist() == [3, 0.5, 1]
    fresh = head(pos_weight="balanced")
    fresh.load_state_dict(own.state_dict())
    loss = fresh.loss(logits(0.5, 0.5, 0.5), TARGETS).item()
    assert loss == pytest.approx((3 + 1 + 1) / 3 * log(2), rel=1e-5)


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        ([[1, 0, 0]], "not a `list`"),
        (torch.tensor([2]), r"these are \(1,\): one class for each input is for task"),
        (torch.tensor([[1, 0, 2]]), "a target is 2: labels are 1, 0, or -1"),
        (torch.tensor([[1, 0, -0.5]]), "a target is -0.5"),
    ],
)
def test_targets_that_are_no_labels(targets: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        head().loss(logits(0.5, 0.5, 0.5), targets)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"gamma": 1.0}, "`gamma` belongs to `loss: focal`, and the loss is `bce`"),
        ({"loss": "focal", "clip": 0.1}, "`clip` belongs to `loss: asymmetric`"),
        ({"threshold": 1.0}, "less than 1"),
    ],
)
def test_settings_of_another_loss(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        MultilabelConfig(**settings)
    with pytest.raises(ConfigError, match="`pos_weight` has 1 values and there are 3 labels"):
        head(pos_weight=(1.0,))


def test_metrics() -> None:
    """Average precisions: `cat` is there in places 1 and 3: (1 + 2/3) / 2; `dog` in place 2: 1/2;
    nobody is `red`. At 0.5 `cat` is found 3 times, 2 of them rightly, of 2; `dog` twice, once
    rightly, of 1; `red` once, wrongly, and once where nobody knows."""
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    given = torch.cat([logits(0.9, 0.6, 0.9), logits(0.8, 0.7, 0.1), logits(0.7, 0.1, 0.9)])
    targets = torch.tensor([[1, 1, 0], [0, 0, 0], [1, 0, -1]])
    whole, parts = head().metrics(), head().metrics()
    whole.update(given, targets)
    for n in range(3):
        parts.update(given[n : n + 1], targets[n : n + 1])
    found = {name: value.item() for name, value in whole.compute().items()}
    f1 = (4 / 5 + 2 / 3) / 2
    expected = {"map": (5 / 6 + 1 / 2) / 2, "f1": f1, "f1_micro": 2 * 3 / (6 + 3)}
    assert found == pytest.approx(expected)
    assert {name: value.item() for name, value in parts.compute().items()} == pytest.approx(found)
    none = head().metrics()
    none.update(given, torch.zeros(3, 3).long())
    assert {name: value.item() for name, value in none.compute().items()} == dict.fromkeys(found, 0)
    strict = head(threshold=0.75).metrics()
    strict.update(given, targets)
    assert strict.compute()["f1"].item() == pytest.approx((2 * 1 / (2 + 2) + 0) / 2)


def test_large_logits_are_no_ties() -> None:
    """Sigmoids of 20 and more are 1 in 32 bits, and still they have an order: `cat` is there in
    places 1 and 2, `red` in place 1. What is alike is a tie: `dog` is 1 of 3."""
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    judges = pytest.importorskip("sklearn.metrics")
    far = torch.tensor([[20.0, 30.0, -100.0], [25.0, 30.0, -99.0], [60.0, 30.0, 0.0]])
    targets = torch.tensor([[0, 1, 0], [1, 0, 0], [1, 0, 1]])
    metrics = head().metrics()
    metrics.update(far, targets)
    by_hand = (1 + 1 / 3 + 1) / 3
    assert metrics.compute()["map"].item() == pytest.approx(by_hand)
    theirs = judges.average_precision_score(targets.numpy(), far.numpy())
    assert theirs == pytest.approx(by_hand)


def test_answers_list_what_reaches_the_threshold() -> None:
    (answer,) = head().predict(logits(0.3, 0.9, 0.6))
    assert list(answer.probabilities) == ["dog", "red", "cat"]
    assert list(answer.labels) == ["dog", "red"]
    assert answer.line() == "dog 90 %, red 60 %"
    assert answer.cells() == {"labels": "dog 90.0 %, red 60.0 %"}
    assert answer.cells(3)["then"] == "cat 30.0 %"
    assert answer.record()["labels"] == ["dog", "red"]
    row = answer.row()
    assert (row["labels"], row["probability of cat"]) == ("dog|red", "0.300000")
    (none,) = head(threshold=0.95).predict(logits(0.3, 0.9, 0.6))
    assert (none.line(), none.cells()) == ("no label", {"labels": "-"})


@task_checks("multilabel")
def test_contract(check: Callable[[], None]) -> None:
    check()
