"""Images and maps of objects in two folders.

Shapes: n objects, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onlay.data import Splits, Whole
from onlay.errors import DataError
from onlay.reading.judging import unknown_labels
from onlay.reading.layouts import Layout
from onlay.reading.listing import some
from onlay_dense.data.object_classes import ClassMaps, Numbers
from onlay_dense.data.objects import Objects, ObjectsOf, boxes_of
from onlay_dense.data.objects_config import InstanceFolderConfig
from onlay_dense.data.pairs import Paired, TwoFolders, in_both
from onlay_dense.data.splits import Measure, make_splits, make_whole
from onlay_dense.data.whole_numbers import whole_numbers
from onlay_image.data.located import Located

USUAL = ("instances", "instance", "instance_maps", "objects", "masks", "labels", "annotations")


def build(config: InstanceFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders, else by `data.split_seed`; a target holds boxes, labels and masks.

    Raises:
        DataError: what `TwoFolders.paired`, `read_objects` and `make_splits` raise.
    """
    labels, (paired, partners) = _labels(config), _paired(config)
    return make_splits(paired, config, input_spec, labels, _reader(config, labels, partners))


def whole(
    config: InstanceFolderConfig, input_spec: Mapping[str, Any], labels: Sequence[str]
) -> Whole:
    """All pairs, for a model of these classes; its one class whatever ours is called.

    Raises:
        DataError: as `build`; a class that the model does not know.
    """
    config, (paired, partners) = _known(config, labels), _paired(config)
    return make_whole(paired, config, input_spec, labels, _reader(config, labels, partners))


def truth(
    config: InstanceFolderConfig,
    source: Path,
    file: Path,
    facts: Mapping[str, Any],
    labels: Sequence[str],
) -> Located:
    """One image with a map that lies anywhere.

    Raises:
        DataError: it cannot be read, or its numbers are no objects of the model's classes.
    """
    made = _reader(_known(config, labels), labels, {})
    return Located([source], made([file]), facts)


def _known(config: InstanceFolderConfig, labels: Sequence[str]) -> InstanceFolderConfig:
    """For a model of these classes; its one class whatever ours is called."""
    own = _labels(config)
    if len(own) == len(labels) == 1 and config.values is None:
        return config.model_copy(update={"labels": tuple(labels)})
    if unknown := [label for label in own if label not in labels]:
        raise unknown_labels("maps", unknown, labels)
    return config


def layout(config: InstanceFolderConfig) -> Layout:
    """Everything in the folders, as it lies."""
    return _paired(config)[0].layout


def measure(config: InstanceFolderConfig) -> Measure:
    """For `onlay data check`: every map is read, too."""
    paired, partners = _paired(config)
    return Measure(config, paired, _reader(config, _labels(config), partners))


def _paired(config: InstanceFolderConfig) -> tuple[Paired, Mapping[Path, Path]]:
    """Images with maps of objects, and of each of these the map of classes, if there are some."""
    found = _folders(config, "instance", USUAL, config.instances, config.instance_ending)
    partners: Mapping[Path, Path] = {}
    if config.class_maps is not None:
        ending = config.class_map_ending
        classes = _folders(config, "class_map", (config.class_maps,), config.class_maps, ending)
        found, partners = in_both(found, classes)
    return replace(found, layout=replace(found.layout, targets="objects")), partners


def _folders(
    config: InstanceFolderConfig, noun: str, usual: Sequence[str], own: str | None, ending: str
) -> Paired:
    return TwoFolders(
        root=config.path,
        noun=noun,
        usual=usual,
        own=own,
        images=config.images,
        endings=(config.image_ending, ending),
        drop=config.unpaired == "drop",
    ).paired(config.parts)


def _labels(config: InstanceFolderConfig) -> tuple[str, ...]:
    """The classes in the model's order: `labels`, where they are told, else those of `values`."""
    told = "labels" in config.model_fields_set or config.values is None
    names = tuple(dict.fromkeys((config.values or {}).values()))
    if told and config.values is not None and set(names) != set(config.labels):
        raise DataError(
            f"`data.values` names {some(names)}, and `data.labels` {some(config.labels)}: both must"
            " be the same, in whatever order"
        )
    return config.labels if told else names


def _reader(
    config: InstanceFolderConfig, labels: Sequence[str], partners: Mapping[Path, Path]
) -> partial[ObjectsOf]:
    named = config.values or dict(enumerate(config.labels))
    places, void = {n: labels.index(name) for n, name in named.items()}, frozenset(config.void)
    if config.class_maps is None:
        numbers: Numbers | ClassMaps = Numbers(config.divisor, places, void)
    else:
        numbers = ClassMaps(places, void, partners)
    return partial(ObjectsOf, read=partial(read_objects, numbers=numbers))


def read_objects(path: Path, numbers: Numbers | ClassMaps) -> Objects:
    """The objects of one map.

    Raises:
        DataError: it cannot be read, or its numbers are no objects.
    """
    values = whole_numbers(path, "objects are told apart by numbers")
    found = [int(number) for number in np.unique(values) if number]
    pairs = zip(found, numbers.places(found, values, path), strict=True)
    kept = [(number, label) for number, label in pairs if label is not None]
    masks = np.zeros((len(kept), *values.shape), np.uint8)
    for mask, (number, _) in zip(masks, kept, strict=True):
        mask[values == number] = 1
    masks_nHW = torch.from_numpy(masks)
    labels = torch.tensor([label for _, label in kept], dtype=torch.int64)
    height, width = values.shape
    leaves = {"boxes": boxes_of(masks_nHW), "labels": labels, "masks": masks_nHW}
    return Objects(leaves, (height, width))
