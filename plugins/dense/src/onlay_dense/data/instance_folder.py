"""Images and maps of objects in two folders.

Shapes: n objects, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from onlay_dense.data.objects import Objects, ObjectsOf, boxes_of
from onlay_dense.data.objects_config import InstanceFolderConfig
from onlay_dense.data.pairs import Paired, TwoFolders
from onlay_dense.data.splits import Measure, make_splits, make_whole
from onlay_image.data.located import Located
from onlay_image.data.values import read_values

USUAL = ("instances", "instance", "instance_maps", "objects", "masks", "labels", "annotations")


def build(config: InstanceFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders, else by `data.split_seed`; a target holds boxes, labels and masks.

    Raises:
        DataError: what `TwoFolders.paired`, `read_objects` and `make_splits` raise.
    """
    labels = _labels(config)
    return make_splits(_paired(config), config, input_spec, labels, _reader(config, labels))


def whole(
    config: InstanceFolderConfig, input_spec: Mapping[str, Any], labels: Sequence[str]
) -> Whole:
    """All pairs, for a model of these classes; its one class whatever ours is called.

    Raises:
        DataError: as `build`; a class that the model does not know.
    """
    config = _known(config, labels)
    return make_whole(_paired(config), config, input_spec, labels, _reader(config, labels))


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
    made = _reader(_known(config, labels), labels)
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
    return _paired(config).layout


def measure(config: InstanceFolderConfig) -> Measure:
    """For `onlay data check`: every map is read, too."""
    return Measure(config, _paired(config), _reader(config, _labels(config)))


def _paired(config: InstanceFolderConfig) -> Paired:
    found = TwoFolders(
        root=config.path,
        noun="instance",
        usual=USUAL,
        own=config.instances,
        images=config.images,
        endings=(config.image_ending, config.instance_ending),
        drop=config.unpaired == "drop",
    ).paired(config.parts)
    return replace(found, layout=replace(found.layout, targets="objects"))


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


@dataclass(frozen=True)
class Numbers:
    """What numbers in maps mean."""

    divisor: int | None
    classes: Mapping[int, int]
    """Numbers of classes, and their places among the labels."""
    void: frozenset[int]

    @classmethod
    def of(cls, config: InstanceFolderConfig, labels: Sequence[str]) -> Numbers:
        named = config.values or dict(enumerate(config.labels))
        places = {number: labels.index(name) for number, name in named.items()}
        return cls(config.divisor, places, frozenset(config.void))

    def label(self, number: int, path: Path) -> int | None:
        """The class of an object; None where it is no object."""
        if self.divisor is None:
            return next(iter(self.classes.values()))
        own = number // self.divisor
        if own in self.void:
            return None
        if own not in self.classes:
            known = some([str(number) for number in self.classes])
            raise DataError(
                f"`{path}` has the number {number}, of class {own} by a `data.divisor` of"
                f" {self.divisor}, and the classes are {known}: say in `data.values` what it means,"
                " or name it in `data.void` if it is no object"
            )
        return self.classes[own]


def _reader(config: InstanceFolderConfig, labels: Sequence[str]) -> partial[ObjectsOf]:
    return partial(ObjectsOf, read=partial(read_objects, numbers=Numbers.of(config, labels)))


def read_objects(path: Path, numbers: Numbers) -> Objects:
    """The objects of one map.

    Raises:
        DataError: it cannot be read, or its numbers are no objects.
    """
    values = _whole_numbers(path)
    found = [int(number) for number in np.unique(values) if number]
    pairs = [(number, numbers.label(number, path)) for number in found]
    kept = [(number, label) for number, label in pairs if label is not None]
    masks = np.zeros((len(kept), *values.shape), np.uint8)
    for mask, (number, _) in zip(masks, kept, strict=True):
        mask[values == number] = 1
    masks_nHW = torch.from_numpy(masks)
    labels = torch.tensor([label for _, label in kept], dtype=torch.int64)
    height, width = values.shape
    leaves = {"boxes": boxes_of(masks_nHW), "labels": labels, "masks": masks_nHW}
    return Objects(leaves, (height, width))


def _whole_numbers(path: Path) -> np.ndarray:
    values = read_values(path).values
    if values.ndim != 2:
        raise DataError(
            f"`{path}` holds colours, and objects are told apart by numbers: save it with 16 bits"
            " of grey, with a palette, or as npy"
        )
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        raise DataError(f"`{path}` holds `{values.dtype}` that are no whole numbers")
    if values.size and values.min() < 0:
        raise DataError(f"`{path}` has the number {int(values.min())}: objects are 1, 2, ...")
    return values
