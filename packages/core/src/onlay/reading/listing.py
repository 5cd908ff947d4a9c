"""Lists of labelled things, whatever they are: their classes, their digest, their split.

Modalities make their data sets from a `Listing`; `noun` is what they call one thing (`image`).
"""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from onlay.errors import DataError
from onlay.reading.packed import Packed

PARTS = {"train": "train", "val": "validation", "test": "test"}
"""Parts by the names that files and folders give them, and what `Splits` calls them."""


COUNTED = ("class", "labels")
"""What targets can be of which every item's classes are told; what else there is (numbers, masks)
is known by reading alone."""


class Tags(NamedTuple):
    """The labels that a thing has, and those of which nobody knows whether it has them."""

    has: frozenset[str]
    unknown: frozenset[str] = frozenset()


class Item(NamedTuple):
    """One thing: what is read (a path, an array, or what is `Packed`), its label, and how the
    digest names it."""

    source: Any
    label: str
    """Of several labels, or of numbers, all of them in one text."""
    key: str
    target: Tags | Mapping[str, float] | None = None
    """The labels, or the numbers by name, where it is not the one class `label` that is learnt."""

    @property
    def labels(self) -> Iterable[str]:
        """All that it has: its class, or its labels; numbers are none."""
        if self.target is None:
            return (self.label,)
        return self.target.has if isinstance(self.target, Tags) else ()


@dataclass(frozen=True)
class Listing:
    """The items of every part; a part that the layout does not have is empty."""

    train: Sequence[Item]
    val: Sequence[Item] = ()
    test: Sequence[Item] = ()
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    """What a user should know of how it was read."""
    targets: str = field(default="class", kw_only=True)
    """What the items tell: one `class`, any number of `labels`, `numbers`, or a word of the data
    set's own."""
    names: tuple[str, ...] = field(default=(), kw_only=True)
    """Of the numbers; of the labels, where their order is told."""
    fixed: bool = field(default=False, kw_only=True)
    """The classes are a benchmark's, whichever of them its training part has."""
    test_varies: bool = field(default=False, kw_only=True)
    """The test part is other items for another `split_seed`."""

    def parts(self) -> Mapping[str, Sequence[Item]]:
        return {part: getattr(self, part) for part in PARTS}


def digest(listing: Listing) -> str:
    """SHA-256 over part, name, label and extent of every item, in hexadecimal digits; the extent is
    a file's size in bytes, a hash of an array, or what `Packed` says."""
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
    if isinstance(source, Packed):
        return source.extent
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
    """Items of each class, or with each label, in each part that there is, under the names of
    `Splits`."""
    tallies = {
        part: Counter(label for item in items for label in item.labels)
        for part, items in listing.parts().items()
        if items
    }
    return {PARTS[p]: {label: tally[label] for label in labels} for p, tally in tallies.items()}


def targets(items: Sequence[Item], labels: Sequence[str]) -> Any:
    """What each item's target is, under its index: the place of its class among `labels`; where
    items have several labels or numbers, what `onlay.reading.targets.rows` makes of them."""
    index = {label: number for number, label in enumerate(labels)}
    if items and items[0].target is not None:
        from onlay.reading.targets import rows

        return rows(items, index)
    return [index[item.label] for item in items]


def classes_of(listing: Listing, labels: Sequence[str] | None, noun: str) -> tuple[str, ...]:
    """The classes in order: `labels`, else the labels of the training part, sorted, numbers by
    their value. Where things have several labels, those of all parts; where a table has a column
    for each label or number, the columns' order.

    Raises:
        DataError: nothing to train on, a label outside the classes, a class that is not in the
            training part.
    """
    if not listing.train:
        raise DataError(f"there are no {noun}s to train on")
    trained = {label for item in listing.train for label in item.labels}
    given = labels if labels is not None else listing.names or None
    if given is None and listing.targets != "class":
        given = sorted(occurring(listing), key=_natural)
    known = sorted(trained, key=_natural) if given is None else list(given)
    if listing.names and set(known) != set(listing.names):
        what = f"the columns are {some(listing.names)}, and `data.labels` names {some(known)}"
        raise DataError(f"{what}: both must be the same, in whatever order")
    learnt = {*known} if listing.fixed else trained
    for part, items in listing.parts().items():
        for item in items:
            _check_known(item, given, learnt, PARTS[part])
    if not known:
        raise DataError(f"none of the {noun}s has a label")
    return tuple(known)


def occurring(listing: Listing) -> set[str]:
    """Every label of every part."""
    return {label for items in listing.parts().values() for i in items for label in i.labels}


def _check_known(
    item: Item, known: Sequence[str] | None, trained: Collection[str], part: str
) -> None:
    for label in item.labels:
        if known is not None and label not in known:
            raise DataError(
                f"`{item.key}` has the label `{label}`, which is none of the {len(known)} classes"
                f" ({some(known)})"
            )
        if label not in trained and item.target is None:
            raise DataError(
                f"class `{label}` is in the {part} part but not in the training part (`{item.key}`)"
            )


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
    if items and items[0].target is not None:
        from onlay.reading.spreading import spread_off

        return spread_off(items, size, seed, noun)
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
