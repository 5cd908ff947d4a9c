"""Targets and outputs as trees of tensors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch

from onlay.batches import mapped, row, rows, size_of, stacked, tensors_of
from onlay.errors import DataError


class Seen(NamedTuple):
    mask: torch.Tensor
    facts: dict[str, object]


def item(value: int, boxes: int) -> tuple[torch.Tensor, Seen]:
    facts = {"depth": value / 2, "boxes": [torch.zeros(boxes, 4)], "name": f"picture {value}"}
    return torch.full((3,), float(value)), Seen(torch.full((2, 2), value), facts)


def test_items_are_stacked_branch_by_branch_and_lists_kept_one_for_each_input():
    inputs, targets = stacked([item(1, 5), item(2, 0)])
    assert inputs.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert isinstance(targets, Seen)
    assert targets.mask.shape == (2, 2, 2)
    assert targets.facts["depth"].tolist() == [0.5, 1.0]
    assert targets.facts["depth"].dtype == torch.float32  # which every device has
    assert [len(own[0]) for own in targets.facts["boxes"]] == [5, 0]
    assert targets.facts["name"] == ["picture 1", "picture 2"]


def test_numbers_of_numpy_are_those_of_python():
    assert stacked([np.float64(0.1), np.float64(2)]).dtype == torch.float32
    assert stacked([np.int32(3), np.int32(4)]).dtype == torch.int64
    assert stacked([True, False]).dtype == torch.bool


def test_rows_cut_every_leaf_and_leave_what_is_of_the_whole_batch():
    batch = {**stacked([item(n, n) for n in range(3)])[1].facts, "scale": torch.tensor(7.0)}
    kept = rows(batch, slice(2))
    assert kept["depth"].tolist() == [0.0, 0.5]
    assert kept["name"] == ["picture 0", "picture 1"]
    assert kept["scale"].item() == 7
    assert row(batch, 2)["depth"].item() == 1
    assert size_of(batch) == 3
    assert len(list(tensors_of(batch))) == 1 + 3 + 1
    assert mapped(len, {"a": torch.zeros(4), "b": ([1],)}) == {"a": 4, "b": (1,)}


def test_items_that_do_not_fit_together_are_refused_in_words():
    with pytest.raises(DataError, match=r"shapes .*\(3, 4\) and \(5, 4\).*`collate`"):
        stacked([torch.zeros(3, 4), torch.zeros(5, 4)])
    with pytest.raises(DataError, match="different names"):
        stacked([{"a": 1}, {"b": 1}])
    with pytest.raises(DataError, match="different lengths"):
        stacked([(1, 2), (1,)])
