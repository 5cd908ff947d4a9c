"""From lists of clouds with labels to the splits of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.config.data import ValidationConfig
from onlay.data import Splits, Whole
from onlay.reading.judging import whole
from onlay.reading.layouts import Layout
from onlay.reading.listed import listed
from onlay.reading.listing import Item, Listing, stratified, targets
from onlay_pointcloud.data.augment import chosen
from onlay_pointcloud.data.clouds import Clouds, Labelled, TrainingClouds
from onlay_pointcloud.data.config import CloudCsvConfig, CloudData, CloudFolderConfig
from onlay_pointcloud.data.left_out import LeftOut
from onlay_pointcloud.data.preprocess import Loader, refuse_columns, resolve

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
        DataError: what `onlay.reading.listed.listed` raises, or a cloud that cannot be used.
    """
    facts = resolve(config.preprocess, input_spec)
    if not all(isinstance(item.source, Path) for item in listing.train):
        refuse_columns(config.preprocess)
    found = listed(listing, config, NOUN, labels)
    listing, labels = found.listing, found.labels
    load, augment = Loader(facts), chosen(config.preprocess)
    train = TrainingClouds(
        _labelled(listing.train, labels, load),
        augment,
        drop=config.preprocess.dropout_ratio,
    )
    val = Clouds(_labelled(listing.val, labels, load), augment) if listing.val else None
    test = Clouds(_labelled(listing.test, labels, load), augment) if listing.test else None
    read_at_once([part for part in (train, val, test) if part is not None], load.left_out)
    return Splits(
        train=train,
        validation=val,
        test=test,
        labels=labels,
        targets=listing.targets,
        preprocessing=facts,
        digest=found.digest,
        facts=with_notes(found.facts, load),
    )


def with_notes(found: Mapping[str, Any], load: Loader) -> Mapping[str, Any]:
    """Facts with what was left out of the clouds that were read so far."""
    notes = (*found.get("notes", ()), *load.left_out.notes())
    return {**found, **load.left_out.facts(), **({"notes": notes} if notes else {})}


def make_whole(
    layout: Layout,
    config: CloudFolderConfig | CloudCsvConfig,
    input_spec: Mapping[str, Any],
    labels: Sequence[str],
) -> Whole:
    """All clouds of a layout, for a model of these classes.

    Raises:
        DataError: what `onlay.reading.judging.whole` raises; a cloud that cannot be used, when it
            is met.
    """
    load = Loader(resolve(config.preprocess, input_spec))

    def make(items: Sequence[Item]) -> Clouds:
        return Clouds(_labelled(items, labels, load), chosen(config.preprocess))

    return whole(layout, config, labels, NOUN, make)


def with_validation(
    train: Sequence[Item], test: Sequence[Item], config: ValidationConfig
) -> Listing:
    """A validation part is split off the training part; published protocols have none and choose
    on the test part."""
    return Listing(*stratified(train, config.val_size, config.split_seed, noun=NOUN), test)


def _labelled(items: Sequence[Item], labels: Sequence[str], load: Loader) -> Labelled:
    return Labelled(
        sources=[item.source for item in items],
        targets=targets(items, labels),
        names=[item.key for item in items],
        load=load,
        npoints=load.npoints,
    )


def read_at_once(parts: Sequence[Any], left_out: LeftOut) -> None:
    """Read what is small enough, so that what is wrong with it is known before training starts.

    Raises:
        DataError: a cloud that cannot be used.
    """
    sources = [source for part in parts for source in part.clouds.sources]
    files = [source for source in sources if isinstance(source, Path) and source.is_file()]
    if not files or sum(path.stat().st_size for path in files) > READ_AT_ONCE:
        return
    left_out.held = True
    for part in parts:
        for index in range(len(part)):
            part.kept[index]
    left_out.held, left_out.said = False, bool(left_out.files)
