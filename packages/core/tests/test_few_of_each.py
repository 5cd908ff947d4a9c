"""`data.train_per_class`: learning curves by labels of each class."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onlay.config.data import ListedConfig
from onlay.data import Splits
from onlay.errors import DataError
from onlay.model.splits import require_heard
from onlay.reading.few import few_of_each
from onlay.reading.listed import listed
from onlay.reading.listing import Item, Listing


def listing(sizes):
    items = [Item(None, label, f"{label}{n}") for label, size in sizes.items() for n in range(size)]
    return Listing(items, items[:2], items[:3])


def test_a_few_of_each_class_are_nested_and_drawn_by_the_seed():
    whole = listing({"a": 30, "b": 20})
    parts = {n: few_of_each(whole, n, 0, "thing").train for n in (1, 5, 10)}
    assert [len(part) for part in parts.values()] == [2, 10, 20]
    assert set(parts[1]) < set(parts[5]) < set(parts[10])
    assert parts[5] == [item for item in whole.train if item in parts[5]]
    assert few_of_each(whole, 5, 1, "thing").train != parts[5]
    more = listing({"a": 30, "b": 20, "c": 4})
    assert few_of_each(more, 5, 0, "thing").train[:10] == parts[5]


def test_other_parts_stay_and_a_small_class_is_told():
    config = ListedConfig(name="any", train_per_class=5)
    found = listed(listing({"a": 9, "b": 3}), config, "thing")
    assert found.facts["counts"]["train"] == {"a": 5, "b": 3}
    assert found.facts["counts"]["test"] == {"a": 3, "b": 0}
    assert "fewer than 5 things to train on are of `b`" in " ".join(found.facts["notes"])
    assert found.digest != listed(listing({"a": 9, "b": 3}), ListedConfig(name="any"), "t").digest


def test_items_that_come_several_times_are_counted_and_named_once():
    plain, often = (
        listed(listing({"a": 4, "b": 3}), ListedConfig(name="any", train_repeats=n), "thing")
        for n in (1, 3)
    )
    assert often.listing.train == [*plain.listing.train] * 3
    assert often.facts == {**plain.facts, "train_repeats": 3}
    assert often.digest == plain.digest


def test_what_has_no_classes_is_refused():
    with pytest.raises(DataError, match="counts things of each class, and these tell `numbers`"):
        few_of_each(Listing([], targets="numbers"), 5, 0, "thing")


@pytest.mark.parametrize("asked", [{"train_per_class": 5}, {"train_repeats": 2}])
def test_a_data_set_that_does_not_hear_of_it_is_refused_in_words(asked):
    """One of generated pictures, say, that lists nothing."""
    config = ListedConfig(name="any", **asked)
    deaf = Splits(train=[], validation=None, test=None, labels=("a",), preprocessing={})
    (name, value), *_ = asked.items()
    with pytest.raises(DataError, match=f"data.{name}: `any` takes .* so that {value} would"):
        require_heard(config, deaf)
    require_heard(config, replace(deaf, facts={**asked, "counts": {}}))
    require_heard(ListedConfig(name="any", train_repeats=1), deaf)
