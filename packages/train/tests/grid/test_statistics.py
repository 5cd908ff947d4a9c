"""Numbers worked out by hand or taken from tables, and a simulated world without differences."""

from __future__ import annotations

import numpy as np
import pytest

from onlay_train.grid.report import statistics
from onlay_train.grid.report.statistics import cannot_show, difference, holm, mean_of


def test_the_interval_of_a_mean_is_students():
    """Of 1, 2, 3: deviation 1, t(0.975, 2) = 4.302653, half width 4.302653 / sqrt 3."""
    own = mean_of([1.0, 2.0, 3.0])
    assert (own.mean, own.deviation, own.n) == (2.0, 1.0, 3)
    assert own.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)
    assert mean_of([5.0]).deviation is None


def test_few_data_sets_are_taken_as_they_are():
    """One data set: the paired t test. Two of equal variance and size: its degrees of freedom."""
    one = difference([[1.0, 2.0, 3.0]], margin=0.5)
    assert one.p == pytest.approx(0.0741799, abs=1e-6)  # t = 2 sqrt 3, two degrees of freedom
    assert one.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-6)
    two = difference([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], margin=0.5)
    half = 2.776445 * (1 / 6) ** 0.5  # t(0.975, 4), variance (1/3 + 1/3) / 4
    assert (two.low, two.high) == (pytest.approx(2.5 - half), pytest.approx(2.5 + half))
    assert difference([[1.0]], margin=0.5).p is None


def test_differences_that_are_all_alike_show_nothing():
    """Two seeds on 100 items meet on one step in every ninth pair of equal methods."""
    for pairs in ([[1.0, 1.0]], [[1.0 / 3, 1.0 / 3 + 1e-16]], [[2.0, 2.0]] * 6):
        found = difference(pairs, margin=0.5)
        assert (found.low, found.high, found.p) == (None, None, None)
    same = difference([[0.0, 0.0, 0.0]], margin=0.5)
    assert (same.low, same.high, same.p) == (None, None, None)


def test_ties_between_data_sets_make_no_endless_interval():
    """In a third of the draws all six data sets are alike."""
    found = difference([[1.0]] * 5 + [[3.0]], margin=0.5)
    assert (found.mean, found.low, found.p) == (pytest.approx(8 / 6), None, None)
    some = difference([[0.5], [1.0], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], margin=0.5)
    assert -5 < some.low < some.mean < some.high < 20


def test_wins_and_losses_are_beyond_the_margin_and_six_data_sets_can_show_something():
    found = difference([[2.0], [0.4], [-0.4], [-3.0], [0.6]], margin=0.5)
    assert (found.wins, found.ties, found.losses) == (2, 2, 1)
    assert found.wilcoxon is None
    assert difference([[n + 1.0] for n in range(6)], margin=0.5).wilcoxon == 2 / 2**6


def test_holms_correction_by_hand():
    """3 x 0.01, 2 x 0.02, 1 x 0.03, but never below the one before."""
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03, "d": None}) == {
        "a": pytest.approx(0.03),
        "b": pytest.approx(0.04),
        "c": pytest.approx(0.04),
        "d": None,
    }


@pytest.mark.parametrize(
    ("datasets", "seeds", "begins"),
    [
        (1, 1, "one seed cannot show"),
        (1, 5, "5 seeds cannot show"),
        (1, 6, ""),
        (3, 6, "3 data sets cannot show"),
        (8, 3, ""),
    ],
)
def test_what_cannot_be_shown_is_said(datasets, seeds, begins):
    assert cannot_show(datasets, seeds).startswith(begins)
    assert bool(cannot_show(datasets, seeds)) == bool(begins)


def test_without_a_difference_few_tables_claim_one(monkeypatch):
    """The bounds of 100 tables are wide; `benchmarks/null.py` has 4,000 and narrow ones."""
    monkeypatch.setattr(statistics, "DRAWS", 499)
    generator = np.random.default_rng(1)
    claims, held = 0, 0
    for _ in range(100):
        own = generator.normal(size=(3, 8, 6)) + generator.normal(size=(3, 8, 1))
        found = [difference(list(each), margin=0.5) for each in own]
        corrected = holm({str(n): each.p for n, each in enumerate(found)})
        claims += any(p is not None and p < 0.05 for p in corrected.values())
        held += sum(each.low <= 0 <= each.high for each in found)
    assert claims <= 0.1 * 100
    assert 0.91 <= held / 300 <= 0.99
