"""Numbers for each input, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from onlay.data import Splits
from onlay.errors import ConfigError, DataError
from onlay.features import Features, Grid
from onlay.reports import Measure
from onlay.tasks.config import RegressionConfig
from onlay.tasks.regression import RegressionHead
from onlay.testing import task_checks

LABELS = ("age", "height")
TRAINED = torch.tensor([[10.0, 1.0], [30.0, 1.0], [10.0, 5.0], [30.0, 5.0]])
"""Means 20 and 3, deviations 10 and 2."""


def head(labels: tuple[str, ...] = LABELS, **settings: Any) -> RegressionHead:
    return RegressionHead(RegressionConfig(**settings), 2, labels)


def prepared(**settings: Any) -> RegressionHead:
    own, items = head(**settings), [(torch.zeros(2), row) for row in TRAINED]
    facts: Any = {"train": items, "validation": None, "test": None, "preprocessing": {}}
    own.prepare(Splits(labels=LABELS, **facts))
    return own


def features(pooled: Tensor) -> Features:
    tokens = torch.zeros(len(pooled), 1, 2)
    return Features(
        cls=None,
        prompts=tokens[:, :0],
        patches=tokens,
        layout=Grid(1, 1),
        pooled=pooled,
        inputs=tokens,
    )


@pytest.mark.parametrize(
    ("scaling", "offset", "scale"),
    [
        ("standard", [20, 3], [10, 2]),
        ("minmax", [10, 1], [20, 4]),
        ("none", [0, 0], [1, 1]),
    ],
)
def test_outputs_are_in_the_numbers_own_unit(
    scaling: str, offset: list[float], scale: list[float]
) -> None:
    own = prepared(scaling=scaling)
    assert (own.offset.tolist(), own.scale.tolist()) == (offset, scale)
    pooled = torch.tensor([[0.5, -1.0]])
    expected = own.fc(pooled)[0] * torch.tensor(scale) + torch.tensor(offset)
    torch.testing.assert_close(own(features(pooled))[0], expected)
    weight, bias = own.linear()
    torch.testing.assert_close(weight @ pooled[0] + bias, expected)
    fresh = head(scaling=scaling)
    fresh.load_state_dict(own.state_dict())
    torch.testing.assert_close(fresh(features(pooled))[0], expected)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [  # errors of 20 and -1 are 2 and -1/2 of the deviations
        ({"loss": "l2"}, (4 + 0.25) / 2),
        ({"loss": "l1"}, (2 + 0.5) / 2),
        ({"loss": "huber"}, ((2 - 0.5) + 0.125) / 2),
        ({"loss": "huber", "delta": 4.0}, (2 + 0.125) / 2),
        ({"loss": "l1", "scaling": "minmax"}, (1 + 0.25) / 2),
        ({"loss": "l1", "scaling": "none"}, (20 + 1) / 2),
    ],
)
def test_losses(settings: dict[str, Any], expected: float) -> None:
    loss = prepared(**settings).loss(torch.tensor([[40.0, 2.0]]), torch.tensor([[20.0, 3.0]]))
    assert loss.item() == pytest.approx(expected)


def test_a_single_number_may_come_flat() -> None:
    own = head(("age",), scaling="none")
    loss = own.loss(torch.tensor([[1.0], [3.0]]), torch.tensor([2, 5]))
    assert loss.item() == pytest.approx((1 + 4) / 2)


def test_scaling_needs_the_numbers() -> None:
    own = head()
    for call in (
        lambda: own(features(torch.zeros(1, 2))),
        lambda: own.loss(TRAINED, TRAINED),
    ):
        with pytest.raises(ConfigError, match=r"head\.scale_to\(targets\).*`task.scaling=none`"):
            call()
    own.scale_to(TRAINED)
    assert own.loss(TRAINED, TRAINED).item() == 0


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        ([1.0], "not a `list`"),
        (torch.zeros(1, 3), r"these are \(1, 3\)"),
        (torch.tensor([[1.0, torch.nan]]), "a target is not finite"),
    ],
)
def test_targets_that_are_no_numbers(targets: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        prepared().loss(torch.zeros(1, 2), targets)


def test_mixed_inputs_have_mixed_numbers() -> None:
    own = prepared(loss="l1")
    one, other = own.soft_targets(torch.tensor([[10, 1], [30, 5]]))
    mixed = (0.25 * one + 0.75 * other).unsqueeze(0)  # 25 and 4, so errors of 2 and 1
    assert own.loss(torch.tensor([[27.0, 5.0]]), mixed).item() == pytest.approx((0.2 + 0.5) / 2)
    assert head(("age",)).soft_targets(torch.tensor([3, 4])).tolist() == [[3], [4]]


def test_a_run_is_judged_by_the_metric_that_is_asked_for() -> None:
    assert head().main_metric == "r2"
    own = head(metric="mae", unit="cm")
    assert own.measures[own.main_metric] == Measure("cm", better="lower")


def test_what_cannot_be_learnt_or_named() -> None:
    with pytest.raises(DataError, match="`height` is 3 for all that is trained on"):
        head().scale_to(torch.tensor([[1.0, 3.0], [2.0, 3.0]]))
    with pytest.raises(ConfigError, match=r"`task\.unit` names `size`, and the numbers are `age`"):
        head(unit={"size": "cm"})
    with pytest.raises(ValueError, match="`delta` belongs to `loss: huber`"):
        RegressionConfig(delta=2.0)


OUTPUT = torch.tensor([[12.0, 1.0], [20.0, 3.0], [34.0, 8.0]])
TRUE = torch.tensor([[10.0, 1.0], [20.0, 3.0], [30.0, 5.0]])
"""Errors 2, 0, 4 and 0, 0, 3; around their means 20 and 3 the squares add up to 200 and 8."""
EXPECTED = {
    "mae_age": 2.0,
    "mae_height": 1.0,
    "mae": 1.5,
    "rmse_age": (20 / 3) ** 0.5,
    "rmse_height": 3**0.5,
    "rmse": ((20 / 3) ** 0.5 + 3**0.5) / 2,
    "r2_age": 1 - 20 / 200,
    "r2_height": 1 - 9 / 8,
    "r2": (0.9 - 0.125) / 2,
}


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_metrics_are_in_the_numbers_own_unit(scaling: str) -> None:
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    own = prepared(scaling=scaling, unit={"age": "years", "height": "m"})
    whole, parts = own.metrics(), own.metrics()
    whole.update(OUTPUT, TRUE)
    for n in range(3):
        parts.update(OUTPUT[n : n + 1], TRUE[n : n + 1])
    for metrics in (whole, parts):
        found = {name: value.item() for name, value in metrics.compute().items()}
        assert found == pytest.approx(EXPECTED, rel=1e-4)
    assert own.measures["mae_age"].text(2.0) == "2.000 years"
    assert own.measures["mae"].unit == ""
    assert own.measures["rmse_height"].better == "lower"
    assert own.measures["r2"].better == "higher"


def test_numbers_that_are_all_alike_and_far_from_zero() -> None:
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    metrics = head(("age",), scaling="none").metrics()
    metrics.update(torch.tensor([[5.0], [6.0]]), torch.tensor([[5.0], [5.0]]))
    assert metrics.compute()["r2"].item() == 0
    metrics.reset()
    metrics.update(torch.tensor([[5.0]]), torch.tensor([5.0]))  # flat, as the loss takes it
    assert metrics.compute()["r2"].item() == 1
    metrics.update(torch.tensor([[torch.nan]]), torch.tensor([[5.0]]))
    assert all(value.isnan() for value in metrics.compute().values())
    own = head(("age",))
    years = torch.arange(2000.0, 2010.0).unsqueeze(1)
    own.scale_to(years)
    metrics = own.metrics()
    metrics.update(years + 1, years)
    assert metrics.compute()["r2"].item() == pytest.approx(1 - 10 / 82.5, rel=1e-4)


@pytest.mark.parametrize(
    ("mean", "deviation", "scaling"),
    [
        (0, 1, "none"),
        (1985, 15, "none"),
        (20_000, 10, "none"),
        (100_000, 30, "none"),
        (-16_000_000, 50, "none"),
        (5000, 10, "standard"),
    ],
)
def test_r2_of_numbers_far_from_zero_is_that_of_scikit_learn(
    mean: float, deviation: float, scaling: str
) -> None:
    """In batches, and put together from two processes, of which one has seen little; `standard` by
    numbers elsewhere."""
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    judges = pytest.importorskip("sklearn.metrics")
    drawn = np.random.default_rng(0)
    true = drawn.normal(mean, deviation, (1000, 2)).astype(np.float32)
    told = (true + drawn.normal(0, deviation / 3, true.shape)).astype(np.float32)
    wide = true.astype(np.float64), told.astype(np.float64)
    r2, mae = judges.r2_score(*wide), judges.mean_absolute_error(*wide)
    own = prepared(scaling=scaling)
    for sizes in ((1000,), (64,) * 15 + (40,), (1, 999), (0, 500, 500)):
        metrics = own.metrics()
        pairs = zip(torch.tensor(told).split(sizes), torch.tensor(true).split(sizes), strict=True)
        for one, other in pairs:
            metrics.update(one, other)
        found = {name: value.item() for name, value in metrics.compute().items()}
        assert found["r2"] == pytest.approx(r2, abs=1e-6)
        assert found["mae"] == pytest.approx(mae, rel=1e-5)
    parts = [own.metrics()["r2"] for _ in range(3)]  # the last one has seen nothing
    parts[0].update(torch.tensor(told[:10]), torch.tensor(true[:10]))
    parts[1].update(torch.tensor(told[10:]), torch.tensor(true[10:]))
    whole: Any = own.metrics()["r2"]
    states = torch.stack([part.moments_2MC for part in parts])
    whole.moments_2MC = whole._reductions["moments_2MC"](states)
    assert whole.each().mean().item() == pytest.approx(r2, abs=1e-6)


def test_answers_have_their_unit() -> None:
    (answer,) = prepared(unit={"age": "years"}).predict(torch.tensor([[17.95, 1.5]]))
    assert answer.line() == "age 17.95 years, height 1.5000"
    assert answer.cells() == {"age": "17.95 years", "height": "1.5000"}
    record = answer.record()
    assert record["numbers"] == pytest.approx({"age": 17.95, "height": 1.5})
    assert record["units"] == {"age": "years"}
    (alone,) = head(("age",), scaling="none", unit="cm").predict(torch.tensor([[17.95]]))
    assert alone.line() == "17.95 cm"


@task_checks("regression")
def test_contract(check: Callable[[], None]) -> None:
    check()


def test_the_report_names_the_largest_errors() -> None:
    """In deviations, 10 and 2: 0.2 and 0; 0 and 0; 0.4 and 1.5."""
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    found = prepared(unit={"age": "years"}).report(OUTPUT, TRUE)
    (table,) = found.tables
    expected = ("age", "years", 2.0, (20 / 3) ** 0.5, 0.9)
    assert table.rows[0] == tuple(pytest.approx(x) if type(x) is float else x for x in expected)
    assert [(m.index, m.said, m.score_text) for m in found.mistakes] == [
        (2, "height 8.0000", "off by 3.0000"),
        (0, "age 12.00 years", "off by 2.000 years"),
        (1, "age 20.00 years", "off by 0.000 years"),
    ]
