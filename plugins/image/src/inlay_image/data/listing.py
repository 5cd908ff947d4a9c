"""From lists of sources with labels to the splits of a run."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inlay.data import Splits
from inlay.errors import DataError
from inlay_image.data.config import ImagePreprocess
from inlay_image.data.images import Images
from inlay_image.data.pictures import Source, check_pictures
from inlay_image.data.preprocess import geometry, resolve, training_steps

CHECKED_UP_TO = 20_000
"""Files of larger data sets are not looked at before training; reading names the broken ones."""

PARTS = {"train": "train", "val": "validation", "test": "test"}
"""Parts by the names that files and folders give them, and what `Splits` calls them."""


class Item(NamedTuple):
    """One image: what is read, its label, and how the digest names it."""

    source: Source
    label: str
    key: str


@dataclass(frozen=True)
class Listing:
    """The items of every part; a part that the layout does not have is empty."""

    train: Sequence[Item]
    val: Sequence[Item] = ()
    test: Sequence[Item] = ()

    def parts(self) -> Mapping[str, Sequence[Item]]:
        return {part: getattr(self, part) for part in PARTS}


def make_splits(
    listing: Listing,
    preprocess: ImagePreprocess,
    input_spec: Mapping[str, Any],
    labels: Sequence[str] | None = None,
) -> Splits:
    """Check the labels and files, and make the data sets.

    `labels` are the classes in order; default: the sorted labels of the training part.

    Raises:
        DataError: no training images, a label outside the classes, a class that is not in the
            training part, an image that cannot be read.
    """
    facts = resolve(preprocess, input_spec)
    labels = _checked_labels(listing, labels)
    _check_files(listing)
    fit, chance = training_steps(facts, preprocess.augment)
    return Splits(
        train=_images(listing.train, labels, facts, fit, chance),
        validation=_images(listing.val, labels, facts, geometry(facts)) if listing.val else None,
        test=_images(listing.test, labels, facts, geometry(facts)) if listing.test else None,
        labels=tuple(labels),
        preprocessing=facts,
        digest=digest(listing),
        facts={"counts": counts(listing, labels)},
    )


def digest(listing: Listing) -> str:
    """SHA-256 over part, name and label of every item, in hexadecimal digits."""
    lines = sorted(
        f"{part}\t{item.key}\t{item.label}\n"
        for part, items in listing.parts().items()
        for item in items
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


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


def _checked_labels(listing: Listing, labels: Sequence[str] | None) -> list[str]:
    if not listing.train:
        raise DataError("there are no images to train on")
    trained = {item.label for item in listing.train}
    known = sorted(trained, key=_natural) if labels is None else list(labels)
    for part, items in listing.parts().items():
        for item in items:
            if labels is not None and item.label not in known:
                raise DataError(
                    f"`{item.key}` has the label `{item.label}`, which is none of the"
                    f" {len(known)} classes ({_some(known)})"
                )
            if item.label not in trained:
                raise DataError(
                    f"class `{item.label}` is in the {PARTS[part]} part but not in the training"
                    f" part (`{item.key}`)"
                )
    return known


def _natural(label: str) -> tuple[bool, int, str]:
    """Numbers in their own order, before words."""
    return (not label.isdecimal(), int(label) if label.isdecimal() else 0, label)


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:5]) + (", ..." if len(names) > 5 else "")


def _check_files(listing: Listing) -> None:
    paths = [
        item.source
        for items in listing.parts().values()
        for item in items
        if isinstance(item.source, Path)
    ]
    if len(paths) <= CHECKED_UP_TO:
        check_pictures(paths)


def _images(
    items: Sequence[Item],
    labels: Sequence[str],
    facts: Mapping[str, Any],
    fit: Any,
    chance: Any = None,
) -> Images:
    index = {label: number for number, label in enumerate(labels)}
    return Images(
        [item.source for item in items],
        [index[item.label] for item in items],
        facts,
        fit=fit,
        chance=chance,
    )


def stratified(items: Sequence[Item], size: float, seed: int) -> tuple[list[Item], list[Item]]:
    """Split off `size` items (a share below 1, else a number), every class by its share.

    Raises:
        DataError: a class of a single item, or too few items for all classes.
    """
    from sklearn.model_selection import train_test_split

    if not size:
        return list(items), []
    rare = [label for label, n in Counter(item.label for item in items).items() if n < 2]
    if rare:
        raise DataError(f"class `{rare[0]}` has a single image, which cannot be split")
    try:
        kept, split_off = train_test_split(
            np.arange(len(items)),
            test_size=size,
            random_state=seed,
            stratify=[item.label for item in items],
        )
    except ValueError as error:
        raise DataError(f"{len(items)} images cannot be split by {size}: {error}") from error
    return [items[i] for i in sorted(kept)], [items[i] for i in sorted(split_off)]
