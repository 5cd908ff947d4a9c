"""From lists of clouds with labels to the splits of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inlay.config.data import ValidationConfig
from inlay.data import Splits
from inlay.listing import Item, Listing, classes_of, counts, digest, stratified, targets
from inlay_pointcloud.data.augment import chosen
from inlay_pointcloud.data.clouds import Clouds, Labelled, TrainingClouds
from inlay_pointcloud.data.config import CloudPreprocess
from inlay_pointcloud.data.preprocess import Loader, resolve

NOUN = "cloud"

READ_AT_ONCE = 256 * 2**20
"""Bytes of files up to which a data set is read, and kept, before training starts, so that a broken
file is known then; the files of a larger one are named when they are met."""


def make_splits(
    listing: Listing,
    preprocess: CloudPreprocess,
    input_spec: Mapping[str, Any],
    labels: Sequence[str] | None = None,
) -> Splits:
    """Check the labels and files, and make the data sets.

    `labels` are the classes in order; default: the sorted labels of the training part.

    Raises:
        DataError: no training clouds, a label outside the classes, a class that is not in the
            training part, a cloud that cannot be used.
    """
    facts = resolve(preprocess, input_spec)
    labels = classes_of(listing, labels, NOUN)
    train, val, test = (
        _labelled(part, labels, facts) if part else None for part in listing.parts().values()
    )
    splits = Splits(
        train=TrainingClouds(train, chosen(preprocess)),
        validation=val and Clouds(val),
        test=test and Clouds(test),
        labels=labels,
        preprocessing=facts,
        digest=digest(listing),
        facts={"counts": counts(listing, labels)},
    )
    _read_at_once(listing, splits)
    return splits


def with_validation(
    train: Sequence[Item], test: Sequence[Item], config: ValidationConfig
) -> Listing:
    """A validation part is split off the training part; published protocols have none and choose
    on the test part."""
    return Listing(*stratified(train, config.val_size, config.split_seed, noun=NOUN), test)


def _labelled(items: Sequence[Item], labels: Sequence[str], facts: Mapping[str, Any]) -> Labelled:
    return Labelled(
        sources=[item.source for item in items],
        targets=targets(items, labels),
        names=[item.key for item in items],
        load=Loader(facts),
        npoints=facts["npoints"],
    )


def _read_at_once(listing: Listing, splits: Splits) -> None:
    files = [i.source for part in listing.parts().values() for i in part if _is_file(i.source)]
    if not files or sum(path.stat().st_size for path in files) > READ_AT_ONCE:
        return
    for part in (splits.train, splits.validation, splits.test):
        if part is not None:
            for index in range(len(part)):
                part.kept[index]


def _is_file(source: Any) -> bool:
    return isinstance(source, Path) and source.is_file()
