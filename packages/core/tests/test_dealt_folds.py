"""A training part as folds: stratified, each item tested once, seen as in evaluation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from onlay.config.fold import FoldConfig
from onlay.data import Blocks, Splits
from onlay.errors import DataError
from onlay.reading.folds import one_fold

CLASSES = [0] * 10 + [1] * 5 + [2] * 5


class Numbers(Dataset[Any]):
    """Items `(index + offset, target)`."""

    def __init__(self, targets: Any, offset: int = 0, plain: Any = None) -> None:
        self.targets, self.offset, self.plain = targets, offset, plain
        self.sources = [f"{n}.png" for n in range(len(targets))]
        self.blocks: Blocks | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        return index + self.offset, self.targets[index]


def splits(targets: Any, kind: str = "class", **more: Any) -> Splits:
    """Evaluation shows an item 1,000 higher."""
    train = Numbers(targets, plain=Numbers(targets, 1000))
    labels = ("a", "b", "c")
    given: dict[str, Any] = {"validation": None, "test": Numbers([0])} | more
    return Splits(train=train, labels=labels, targets=kind, preprocessing={}, digest="d", **given)


def folds(whole: Splits, of: int, seed: int = 0) -> list[Splits]:
    return [one_fold(whole, FoldConfig(of=of, fold=n, seed=seed)) for n in range(of)]


def seen(part: Any) -> list[int]:
    return [part[n][0] for n in range(len(part))]


def test_every_item_is_tested_once_and_classes_have_their_share() -> None:
    facts = {"counts": {"train": {"a": 10, "b": 5, "c": 5}, "test": {"a": 1}}, "notes": ("n",)}
    found = folds(splits(CLASSES, facts=facts), 5)
    tested = [seen(fold.test) for fold in found]
    assert sorted(n for own in tested for n in own) == list(range(1000, 1020))
    for fold, own in zip(found, tested, strict=True):
        assert Counter(fold.test.targets) == {0: 2, 1: 1, 2: 1}
        assert seen(fold.train) == sorted(set(range(20)) - {n - 1000 for n in own})
        assert fold.train.targets == [CLASSES[n] for n in seen(fold.train)]
        assert fold.test.sources == [f"{n - 1000}.png" for n in own]
        assert seen(fold.train.plain) == [n + 1000 for n in seen(fold.train)]
        assert fold.facts["counts"] == {
            "train": {"a": 8, "b": 4, "c": 4},
            "test": {"a": 2, "b": 1, "c": 1},
        }
    assert found[0].facts["notes"][0] == "n"
    assert "the data's own is not looked at" in found[0].facts["notes"][1]
    assert len({fold.digest for fold in found}) == 5


def test_a_seed_says_how_they_are_dealt() -> None:
    first, again, other = (
        [seen(fold.test) for fold in folds(splits(CLASSES), 2, seed)] for seed in (0, 0, 1)
    )
    assert first == again != other


def test_labels_and_numbers_have_their_share_in_every_fold() -> None:
    """Eight things have the first label, four of them the second; numbers rise."""
    ticks = torch.tensor([[1, n % 2, 0] if n < 8 else [0, 0, 1] for n in range(16)])
    for fold in folds(splits(ticks, "labels", facts={"counts": {"train": {}}}), 4):
        assert fold.test.targets.sum(0).tolist() == [2, 1, 2]
        assert fold.facts["counts"]["test"] == {"a": 2, "b": 1, "c": 2}
    for fold in folds(splits(torch.arange(40.0)[:, None], "numbers"), 4):
        assert sorted((fold.test.targets[:, 0] // 4).tolist()) == list(range(10))


def test_what_is_unknown_is_dealt_by_chance_and_what_has_no_plain_view_is_said() -> None:
    whole = splits([{"boxes": n} for n in range(7)], "boxes")
    whole.train.plain = None
    found = folds(whole, 3)
    assert sorted(n for fold in found for n in seen(fold.test)) == list(range(7))
    assert sorted(len(fold.test) for fold in found) == [2, 2, 3]
    assert any("no `plain` view" in note for note in found[0].facts["notes"])


def test_blocks_stay_with_the_items_that_are_left() -> None:
    whole = splits(CLASSES)
    whole.train.blocks = Blocks((12, 1, 7), 2)
    fold = folds(whole, 5)[0]
    left = seen(fold.train)
    sizes = [sum(n < 12 for n in left), sum(n == 12 for n in left), sum(n > 12 for n in left)]
    assert fold.train.blocks == Blocks(tuple(size for size in sizes if size), 2)


def test_too_few_items_are_one_sentence() -> None:
    with pytest.raises(DataError, match="3 items cannot be dealt to 4 folds"):
        folds(splits([0, 1, 1]), 4)
    with pytest.raises(DataError, match="class `a` has a single item, and none to train on"):
        folds(splits([0, 1, 1, 1]), 2)
    with pytest.raises(DataError, match="no class has an item for each of 3 folds"):
        folds(splits([0, 0, 1, 1]), 3)
    notes = folds(splits([0, 0, 1, 1, 1]), 3)[0].facts["notes"]
    assert any("warning: 1 of 3 classes have fewer than 3 items" in note for note in notes)
    with pytest.raises(ValueError, match="there is no fold 2 of 2"):
        FoldConfig(of=2, fold=2)


@pytest.mark.parametrize("mode", ["warn", "drop", "refuse"])
def test_copies_that_are_tested_are_not_trained_on_without_a_word(
    tmp_path: Path, mode: str
) -> None:
    """Twelve files of which each content is there twice: a fold of four tests copies of what the
    other two hold."""
    whole = splits([0, 1] * 6)
    train: Any = whole.train
    train.sources = []
    for n in range(12):
        path = tmp_path / f"{n}.png"
        path.write_text(f"content {n // 2}")
        train.sources.append(path)
    if mode == "refuse":
        with pytest.raises(DataError, match=r"items to train on are in the fold .* as copies: see"):
            one_fold(whole, FoldConfig(of=3, fold=0, seed=0), mode)
        return
    for own in (one_fold(whole, FoldConfig(of=3, fold=n, seed=0), mode) for n in range(3)):
        kept = {n // 2 for n in own.train.indices}
        tested = {n // 2 for n in own.test.indices}
        told = " ".join(own.facts["notes"])
        if mode == "drop":
            assert not kept & tested
            assert ("left out" in told) == (len(own.train.indices) < 8)
        else:
            assert len(own.train.indices) == 8
            copies = sum(n // 2 in tested for n in own.train.indices)
            assert (f"warning: {copies} items to train on are in the fold" in told) == bool(copies)


def test_items_that_come_several_times_are_not_dealt() -> None:
    whole = splits([0, 1] * 6, facts={"train_repeats": 3})
    with pytest.raises(DataError, match="would lie in several folds"):
        one_fold(whole, FoldConfig(of=3, fold=0))
