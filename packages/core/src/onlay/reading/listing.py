"""Lists of labelled things, whatever they are: their classes, their digest, their split.

Modalities make their data sets from a `Listing`; `noun` is what they call one thing (`image`).
"""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from onlay.errors import DataError

PARTS = {"train": "train", "val": "validation", "test": "test"}
"""Parts by the names that files and folders give them, and what `Splits` calls them."""


class Item(NamedTuple):
    """One thing: what is read (a path, or an array), its label, and how the digest names it."""

    source: Any
    label: str
    key: str


@dataclass(frozen=True)
class Listing:
    """The items of every part; a part that the layout does not have is empty."""

    train: Sequence[Item]
    val: Sequence[Item] = ()
    test: Sequence[Item] = ()
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    """What a user should know of how it was read."""

    def parts(self) -> Mapping[str, Sequence[Item]]:
        return {part: getattr(self, part) for part in PARTS}


def digest(listing: Listing) -> str:
    """SHA-256 over part, name, label and extent of every item, in hexadecimal digits; the extent is
    a file's size in bytes, or a hash of an array."""
    lines = sorted(
        f"{part}\t{item.key}\t{item.label}\t{_extent(item.source)}\n"
        for part, items in listing.parts().items()
        for item in items
    )
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _extent(source: Any) -> str:
    """Empty for what is not there, which readers name, and for sources of other kinds."""
    if isinstance(source, np.ndarray):
        return content_hash(source)
    if not isinstance(source, str | os.PathLike):  # a number would be a file that is open
        return ""
    try:
        return str(os.stat(source).st_size)
    except (OSError, ValueError):
        return ""


def content_hash(array: np.ndarray) -> str:
    """Of values, shape and dtype."""
    found = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def counts(listing: Listing, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Items of each class in each part that there is, under the names of `Splits`."""
    tallies = {
        part: Counter(item.label for item in items) for part, items in listing.parts().items()
    }
    return {
        PARTS[part]: {label: tally[label] for label in labels}
        for part, tally in tallies.items()
        if tally
    }


def targets(items: Sequence[Item], labels: Sequence[str]) -> list[int]:
    """The place of every item's label among the classes."""
    index = {label: number for number, label in enumerate(labels)}
    return [index[item.label] for item in items]


def classes_of(listing: Listing, labels: Sequence[str] | None, noun: str) -> tuple[str, ...]:
    """The classes in order: `labels`, else the labels of the training part, sorted, numbers by
    their value.

    Raises:
        DataError: nothing to train on, a label outside the classes, a class that is not in the
            training part.
    """
    if not listing.train:
        raise DataError(f"there are no {noun}s to train on")
    trained = {item.label for item in listing.train}
    known = sorted(trained, key=_natural) if labels is None else list(labels)
    for part, items in listing.parts().items():
        for item in items:
            if labels is not None and item.label not in known:
                raise DataError(
                    f"`{item.key}` has the label `{item.label}`, which is none of the"
                    f" {len(known)} classes ({some(known)})"
                )
            if item.label not in trained:
                raise DataError(
                    f"class `{item.label}` is in the {PARTS[part]} part but not in the training"
                    f" part (`{item.key}`)"
                )
    return tuple(known)


def stratified(
    items: Sequence[Item], size: float, seed: int, *, noun: str
) -> tuple[list[Item], list[Item]]:
    """Split off `size` items (a share below 1, else a number), every class by its share.

    Raises:
        DataError: a class of a single item, or too few items for all classes.
    """
    from sklearn.model_selection import train_test_split

    if not size:
        return list(items), []
    rare = [label for label, n in Counter(item.label for item in items).items() if n < 2]
    if rare:
        raise DataError(f"class `{rare[0]}` has a single {noun}, which cannot be split")
    try:
        kept, split_off = train_test_split(
            range(len(items)),
            test_size=size,
            random_state=seed,
            stratify=[item.label for item in items],
        )
    except ValueError as error:
        count, classes = len(items), len({item.label for item in items})
        apart = math.ceil(size * count) if size < 1 else size
        raise DataError(
            f"{apart} of {count} {noun}s of {classes} classes cannot be split off: a part needs one"
            f" of each class at least, and {max(0, count - apart)} would stay; see"
            " `data.test_size` and `data.val_size`"
        ) from error
    return [items[i] for i in sorted(kept)], [items[i] for i in sorted(split_off)]


def _natural(label: str) -> tuple[bool, Decimal, str]:
    """Numbers in their own order, before words."""
    return (not label.isdecimal(), Decimal(label) if label.isdecimal() else Decimal(0), label)


def some(names: Sequence[str]) -> str:
    """The first few, in backticks."""
    return ", ".join(f"`{name}`" for name in names[:5]) + (", ..." if len(names) > 5 else "")
