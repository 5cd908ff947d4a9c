"""A few items of each class to train on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from onlay.errors import DataError
from onlay.reading.listing import Item, Listing, some


def few_of_each(listing: Listing, count: int, seed: int, noun: str) -> Listing:
    """With `count` items of each class in the training part, in their order; a class that has fewer
    keeps them, and a note says so. Five of a class are among its ten of the same seed.

    Raises:
        DataError: the items have no classes.
    """
    if listing.targets != "class":
        raise DataError(
            f"`data.train_per_class` counts {noun}s of each class, and these tell"
            f" `{listing.targets}`: leave it out"
        )
    kept = set(_drawn(listing.train, count, seed))
    train = [item for place, item in enumerate(listing.train) if place in kept]
    tally = Counter(item.label for item in train)
    lacking = sorted(label for label, found in tally.items() if found < count)
    notes = listing.notes
    if lacking:
        notes += (f"warning: fewer than {count} {noun}s to train on are of {some(lacking)}",)
    return replace(listing, train=train, notes=notes)


def _drawn(items: Sequence[Item], count: int, seed: int) -> list[int]:
    """Places of the first `count` of each class in an order by hash, which one more item does not
    change for the others."""
    places: dict[str, list[int]] = {}
    for place in sorted(range(len(items)), key=lambda place: _hash(items[place].key, seed)):
        places.setdefault(items[place].label, []).append(place)
    return [place for own in places.values() for place in own[:count]]


def _hash(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {key}".encode(errors="surrogateescape")).digest()
