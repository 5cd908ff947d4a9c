"""From lists of images with labels to the splits of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torchvision.transforms import Compose

from onlay.data import Splits, Whole
from onlay.reading.blocks import blocks_of, sorted_note
from onlay.reading.judging import whole
from onlay.reading.layouts import Layout
from onlay.reading.listed import listed
from onlay.reading.listing import Item, Listing, targets
from onlay.reading.packed import Packed
from onlay_image.data.chance import changes, erasing
from onlay_image.data.config import ImageData, ImageFilesConfig
from onlay_image.data.images import Images
from onlay_image.data.pictures import check_pictures
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import geometry, resolve, training_steps
from onlay_image.data.reading import Reading

NOUN = "image"

CHECKED_UP_TO = 20_000
"""Of larger data sets some files are looked at before training; reading names broken ones."""
SPREAD = 1000
"""How many, beside one of each class."""


def make_splits(
    listing: Listing,
    config: ImageData,
    input_spec: Mapping[str, Any],
    labels: Sequence[str] | None = None,
) -> Splits:
    """Check the labels and files, and make the data sets.

    `labels` are the classes in order; default: the sorted labels of the training part.

    Raises:
        DataError: what `onlay.reading.listed.listed` raises, or an image that cannot be read.
    """
    facts = resolve(config.preprocess, input_spec)
    found = listed(listing, config, NOUN, labels)
    listing, labels = found.listing, found.labels
    _check_files(listing.parts(), Reading.of(facts))
    return Splits(
        train=_training(listing.train, labels, facts, config.preprocess),
        validation=_images(listing.val, labels, facts, geometry(facts)) if listing.val else None,
        test=_images(listing.test, labels, facts, geometry(facts)) if listing.test else None,
        labels=labels,
        targets=listing.targets,
        preprocessing=facts,
        digest=found.digest,
        facts=found.facts,
    )


def in_blocks(splits: Splits, window: int) -> Splits:
    """The same, shuffled in blocks while training: its images lie in several files."""
    train: Any = splits.train
    train.blocks = blocks_of(train.sources, window)
    notes = (*splits.facts.get("notes", ()), *sorted_note(train.sources, train.targets))
    return replace(splits, facts={**splits.facts, "notes": notes} if notes else splits.facts)


def make_whole(
    layout: Layout, config: ImageFilesConfig, input_spec: Mapping[str, Any], labels: Sequence[str]
) -> Whole:
    """All images of a layout, for a model of these classes.

    Raises:
        DataError: what `onlay.reading.judging.whole` raises, or an image that cannot be read.
    """
    facts = resolve(config.preprocess, input_spec)
    _check_files(layout.parts, Reading.of(facts))

    def make(items: Sequence[Item]) -> Images:
        return _images(items, labels, facts, geometry(facts))

    return whole(layout, config, labels, NOUN, make)


def _check_files(parts: Mapping[str, Sequence[Item]], reading: Reading) -> None:
    """All files, or the first of each class in each part and some over all of the length."""
    items = [item for each in parts.values() for item in each]
    if len(items) > CHECKED_UP_TO:
        firsts = [{i.label: i for i in reversed(each)} for each in parts.values()]
        spread = items[:: max(1, len(items) // SPREAD)]
        items = [*(item for first in firsts for item in first.values()), *spread]
    files = [item.source for item in items if isinstance(item.source, Path | Packed)]
    check_pictures(files, reading)


def _training(
    items: Sequence[Item], labels: Sequence[str], facts: Mapping[str, Any], config: ImagePreprocess
) -> Images:
    """Pictures that chance changes, as far as that is asked for."""
    fit, chance = training_steps(facts, config.augment, config.scale)
    steps = [chance, *changes(config, facts["in_chans"])]
    steps = [step for step in steps if step is not None]
    return _images(
        items,
        labels,
        facts,
        fit,
        chance=Compose(steps) if steps else None,
        erase=erasing(config),
        plain=_images(items, labels, facts, geometry(facts)),
    )


def _images(
    items: Sequence[Item], labels: Sequence[str], facts: Mapping[str, Any], fit: Any, **more: Any
) -> Images:
    sources = [item.source for item in items]
    return Images(sources, targets(items, labels), facts, fit=fit, **more)
