"""Targets of a classification that are right, and those that are a sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from onlay.errors import DataError
from onlay.tasks.targets import checked_targets


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.int16, torch.uint8])
def test_whole_numbers_of_any_kind_are_classes(kind: torch.dtype) -> None:
    targets = checked_targets(torch.zeros(2, 3), torch.tensor([0, 2], dtype=kind))
    assert targets.dtype == torch.int64
    assert targets.tolist() == [0, 2]


def test_probabilities_and_what_is_left_out_stay() -> None:
    soft = torch.full((2, 3), 1 / 3)
    assert checked_targets(torch.zeros(2, 3), soft) is soft
    assert checked_targets(torch.zeros(2, 3), torch.tensor([1, -100])).tolist() == [1, -100]


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        ([0, 1], "not a `list`"),
        (torch.tensor([0.0, 1.0]), "whole-number kind, not `float32`"),
        (torch.tensor([True, False]), "not `bool`"),
        (torch.tensor([0]), r"2 inputs need targets \(2,\), and these are \(1,\)"),
        (torch.tensor([[0], [1]]), r"these are \(2, 1\)"),
        (torch.tensor([0, 3]), "a target is 3, and the classes are 0 to 2"),
        (torch.tensor([-1, 1]), "a target is -1"),
    ],
)
def test_targets_that_are_no_classes(targets: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        checked_targets(torch.zeros(2, 3), targets)


def test_an_empty_batch_has_no_loss() -> None:
    with pytest.raises(DataError, match="an empty batch has no loss"):
        checked_targets(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
