"""Data that list no files, read item by item: what cannot be read, and what is in two parts."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import Dataset

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.survey_parts import survey_parts


class Filled(Dataset[Any]):
    """Each item is filled with its number, and its class is odd or even; 13 is torn."""

    def __init__(self, numbers: list[int], plain: Any = None) -> None:
        self.numbers, self.plain = numbers, plain

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, Any]:
        number = self.numbers[index]
        if number == 13:
            raise DataError("`13.bin` is torn")
        return torch.full((2, 3), float(number)), number % 2


def splits(train: Any, test: Any, kind: str = "class") -> Splits:
    return Splits(
        train=train,
        validation=None,
        test=test,
        labels=("even", "odd"),
        targets=kind,
        preprocessing={},
        facts={"notes": ("a note",)},
    )


def test_every_item_is_read_and_all_that_is_wrong_is_told() -> None:
    train = Filled([0, 0, 0, 0], plain=Filled([1, 2, 13, 2]))
    found = survey_parts(splits(train, Filled([2, 13, 4])))
    assert found.sizes == {"train": 4, "test": 3}
    assert found.counts["train"]["even"] == 2
    assert found.counts["test"] == {"even": 2}
    assert found.extents == {(2, 3): 5}
    assert found.unreadable == ["`13.bin` is torn"] * 2
    assert found.ambiguous == ["one item is in two parts (`train 1`, train and `test 0`, test)"]
    assert found.notes == ("a note",)
    assert not found.good


def test_what_chance_changes_is_compared_with_nothing() -> None:
    """A training part without a `plain` view."""
    found = survey_parts(splits(Filled([1, 2]), Filled([2])))
    assert found.good
    assert found.extents == {(2, 3): 3}
