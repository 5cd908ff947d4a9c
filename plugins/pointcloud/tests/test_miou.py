"""ShapeNetPart's metrics on clouds that are worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

pytest.importorskip("torchmetrics", reason="metrics come with onlay-train")

from onlay_pointcloud.tasks.miou import MeanIoU, PointAccuracy

CATEGORY_OF_PART = [0, 0, 1, 1, 1]
"""Parts 0 and 1 make up the first category, parts 2, 3 and 4 the second."""
TARGETS = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0], [2, 2, 3, 3]])
CHOSEN = torch.tensor([[0, 1, 1, 1], [0, 0, 0, 0], [2, 3, 3, 3]])
FIRST = Fraction(7, 12)
"""Part 0: 1 of 2 points, part 1: 2 of 3."""
SECOND = Fraction(1)
"""Part 0: all; part 1 is neither there nor found, which counts 1."""
THIRD = Fraction(13, 18)
"""Part 2: 1 of 2, part 3: 2 of 3, part 4: neither there nor found."""


def logits_of(chosen: Tensor) -> Tensor:
    """The chosen part has the highest logit of its category, and all of the other one's are higher
    still."""
    logits = torch.zeros(*chosen.shape, 5).scatter_(-1, chosen.unsqueeze(-1), 1.0)
    foreign = torch.tensor(CATEGORY_OF_PART) != torch.tensor([0, 0, 1]).unsqueeze(1)
    return logits + 5.0 * foreign.unsqueeze(1)


def value(over: str, *batches: list[int]) -> float:
    metric = MeanIoU(CATEGORY_OF_PART, over=over)  # type: ignore[arg-type]
    for rows in batches:
        metric.update(logits_of(CHOSEN)[rows], TARGETS[rows])
    return metric.compute().item()


@pytest.mark.parametrize("batches", [([0, 1, 2],), ([2], [0, 1]), ([0], [1], [2])])
def test_means_over_clouds_and_over_categories_differ(batches: tuple[list[int], ...]) -> None:
    of_clouds = (FIRST + SECOND + THIRD) / 3
    of_categories = ((FIRST + SECOND) / 2 + THIRD) / 2
    assert of_clouds == Fraction(83, 108)
    assert of_categories == Fraction(109, 144)
    assert value("instances", *batches) == pytest.approx(float(of_clouds), abs=1e-6)
    assert value("categories", *batches) == pytest.approx(float(of_categories), abs=1e-6)


def test_a_category_without_clouds_does_not_count() -> None:
    assert value("categories", [0, 1]) == pytest.approx(float((FIRST + SECOND) / 2), abs=1e-6)


def test_a_part_that_is_found_and_not_there_counts_nothing() -> None:
    """Part 0: 3 of 4 points, part 1: 0 of 1."""
    metric = MeanIoU(CATEGORY_OF_PART, over="instances")
    metric.update(logits_of(torch.tensor([[0, 0, 0, 1]] * 3))[:1], TARGETS[1:2])
    assert metric.compute().item() == pytest.approx(3 / 8)


def test_accuracy_of_points_among_the_parts_of_the_category() -> None:
    metric = PointAccuracy(CATEGORY_OF_PART)
    metric.update(logits_of(CHOSEN), TARGETS)
    assert metric.compute().item() == pytest.approx(10 / 12)


def test_every_part_right_is_one_and_every_part_wrong_is_what_is_absent() -> None:
    right = MeanIoU(CATEGORY_OF_PART, over="instances")
    right.update(logits_of(TARGETS), TARGETS)
    assert right.compute().item() == 1
    wrong = MeanIoU(CATEGORY_OF_PART, over="instances")
    wrong.update(logits_of(torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [3, 3, 2, 2]])), TARGETS)
    assert wrong.compute().item() == pytest.approx((0 + 0 + 1 / 3) / 3)
