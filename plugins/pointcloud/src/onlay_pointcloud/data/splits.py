"""From lists of clouds with labels to the splits of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.config.data import ValidationConfig
from onlay.data import Splits
from onlay.listed import listed
from onlay.listing import Item, Listing, stratified, targets
from onlay_pointcloud.data.augment import chosen
from onlay_pointcloud.data.clouds import Clouds, Labelled, TrainingClouds
from onlay_pointcloud.data.config import CloudData
from onlay_pointcloud.data.preprocess import Loader, resolve

NOUN = "cloud"

READ_AT_ONCE = 256 * 2**20
"""Bytes of files up to which a data set is read, and kept, before training starts, so that a broken
file is known then; the files of a larger one are named when they are met."""


def make_splits(
    listing: Listing,
    config: CloudData,
    input_spec: Mapping[str, Any],
    labels: Sequence[str] | None = None,
) -> Splits:
    """Check the labels and files, and make the data sets.

    `labels` are the classes in order; default: the sorted labels of the training part.

    Raises:
        DataError: what `onlay.listed.listed` raises, or a cloud that cannot be used.
    """
    facts = resolve(config.preprocess, input_spec)
    found = listed(listing, config, NOUN, labels)
    listing, labels = found.listing, found.labels
    train = TrainingClouds(_labelled(listing.train, labels, facts), chosen(config.preprocess))
    val = Clouds(_labelled(listing.val, labels, facts)) if listing.val else None
    test = Clouds(_labelled(listing.test, labels, facts)) if listing.test else None
    _read_at_once([part for part in (train, val, test) if part is not None])
    return Splits(
        train=train,
        validation=val,
        test=test,
        labels=labels,
        preprocessing=facts,
        digest=found.digest,
        facts=found.facts,
    )


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


def _read_at_once(parts: Sequence[TrainingClouds | Clouds]) -> None:
    sources = [source for part in parts for source in part.clouds.sources]
    files = [source for source in sources if isinstance(source, Path) and source.is_file()]
    if not files or sum(path.stat().st_size for path in files) > READ_AT_ONCE:
        return
    for part in parts:
        for index in range(len(part)):
            part.kept[index]
