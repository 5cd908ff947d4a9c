"""What every data set that is made from a list of labelled things does with it, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onlay.config.data import ListedConfig
from onlay.reading.duplicates import settled
from onlay.reading.labels import check_distinct
from onlay.reading.listing import Listing, classes_of, counts, digest


@dataclass(frozen=True)
class Listed:
    """A listing that can be trained on, and what `onlay.data.Splits` tells of it."""

    listing: Listing
    labels: tuple[str, ...]
    digest: str
    facts: Mapping[str, Any]
    """`counts`, and `notes` if anything is to be said."""


def listed(
    listing: Listing, config: ListedConfig, noun: str, labels: Sequence[str] | None = None
) -> Listed:
    """Check labels, settle duplicates, count.

    `labels` are the classes in order; default: the labels of the training part, sorted.

    Raises:
        DataError: what `check_distinct`, `settled` and `classes_of` raise.
    """
    every = (item.label for items in listing.parts().values() for item in items)
    check_distinct(every, labels)
    listing = settled(listing, config.duplicates, noun)
    classes = classes_of(listing, labels, noun)
    facts: dict[str, Any] = {"counts": counts(listing, classes)}
    if listing.notes:
        facts["notes"] = listing.notes
    return Listed(listing, classes, digest(listing), facts)
