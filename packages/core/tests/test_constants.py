"""What is said of every input without a look at it; numbers by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from onlay.data import EachTarget
from onlay.tasks.constants import frequencies, middle, most_frequent, places_of, ranked


def test_the_most_frequent_class_and_of_equals_the_first() -> None:
    constant = most_frequent([2, 1, 2, -100, 0, 1], 4)
    assert constant.what == "most frequent class"
    assert constant.outputs(torch.tensor([0, 3])).tolist() == [[-2.0, 0.0, -1.0, -3.0]] * 2
    assert ranked(torch.tensor([3, 3])).tolist() == [0.0, -1.0]


def test_labels_are_as_likely_as_they_are_frequent() -> None:
    targets = [torch.tensor(row) for row in ([1, 0, -1], [1, 0, 1], [0, 0, 1], [1, 0, 0])]
    output = frequencies(targets).outputs(torch.zeros(2, 3))
    assert output.sigmoid()[0].tolist() == pytest.approx([3 / 4, 0.0, 2 / 3], abs=1e-5)
    assert torch.equal(*output)


@pytest.mark.parametrize(("median", "found"), [(True, [2.0, 5.0]), (False, [4.0, 5.0])])
def test_numbers_have_a_median_for_absolute_errors_and_a_mean_for_squared_ones(
    median: bool, found: list[float]
) -> None:
    rows = [torch.tensor([x, 5.0]) for x in (1.0, 9.0, 2.0)]
    assert middle(rows, median=median).outputs(torch.zeros(2, 2)).tolist() == [found] * 2


def test_places_without_a_class_do_not_count() -> None:
    masks = [torch.tensor([[0, 1], [1, -1]]), torch.tensor([[2, 1, 1]])]
    assert places_of(masks, 4).tolist() == [1, 4, 1, 0]


def test_targets_are_read_as_often_as_one_likes() -> None:
    part: Any = [("x", 1), ("y", 2)]
    stored: Any = SimpleNamespace(targets=[7])
    each = EachTarget(part)
    assert [*each] == [*each] == [1, 2]
    assert [*EachTarget(stored)] == [7]
