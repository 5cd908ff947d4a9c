"""What every data set that is made from a list of labelled things does with it, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from onlay.config.data import ListedConfig
from onlay.reading.duplicates import settled
from onlay.reading.few import few_of_each
from onlay.reading.labels import check_distinct
from onlay.reading.listing import (
    COUNTED,
    Listing,
    classes_of,
    counts,
    digest,
    occurring,
    some,
)


@dataclass(frozen=True)
class Listed:
    """A listing that can be trained on, and what `onlay.data.Splits` tells of it."""

    listing: Listing
    labels: tuple[str, ...]
    digest: str
    facts: Mapping[str, Any]
    """`counts`, settings of the training part, and `notes` if anything is to be said."""


def listed(
    listing: Listing, config: ListedConfig, noun: str, labels: Sequence[str] | None = None
) -> Listed:
    """Check labels, settle duplicates, count.

    `labels` are the classes in order; default: the labels of the training part, sorted.

    Raises:
        DataError: what `check_distinct`, `settled`, `few_of_each` and `classes_of` raise.
    """
    check_distinct({*occurring(listing), *listing.names}, labels)
    listing = settled(listing, config.duplicates, noun)
    if config.train_per_class is not None:
        seed = getattr(config, "split_seed", 0)
        listing = few_of_each(listing, config.train_per_class, seed, noun)
    classes = classes_of(listing, labels, noun)
    facts: dict[str, Any] = config.of_training()
    if listing.test_varies:
        facts["test_varies"] = True
    if listing.targets in COUNTED:
        facts["counts"] = counts(listing, classes)
    notes = listing.notes
    if listing.targets == "labels" or listing.fixed:
        notes += tuple(_untrained(facts["counts"]["train"], noun))
    if notes:
        facts["notes"] = notes
    found = digest(listing)
    if config.train_repeats > 1:
        listing = replace(listing, train=[*listing.train] * config.train_repeats)
    return Listed(listing, classes, found, facts)


def _untrained(counts: Mapping[str, int], noun: str) -> Iterator[str]:
    """Labels, and a benchmark's classes, that cannot be learnt."""
    if none := [label for label, count in counts.items() if not count]:
        yield f"warning: no {noun} to train on has {some(none)}, which cannot be learnt"
