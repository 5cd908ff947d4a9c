"""Images and masks in two folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.layouts import Layout
from onlay.tasks.several.named import labels_of
from onlay_dense.data.config import MaskFolderConfig
from onlay_dense.data.depth_folder import USUAL as DEPTHS
from onlay_dense.data.masked import masked, masked_measure, masked_whole
from onlay_dense.data.masks import Masks
from onlay_dense.data.masks_and_depths import MasksAndDepths, labels_with_depths
from onlay_dense.data.meaning import table_of
from onlay_dense.data.pairs import Paired, TwoFolders, in_both
from onlay_dense.data.splits import Measure, make_splits, make_whole
from onlay_dense.data.table import ClassTable
from onlay_image.data.located import Located

USUAL = ("masks", "mask", "labels", "label", "annotations", "SegmentationClass", "segmentation")


def build(config: MaskFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders, else by `data.split_seed`; a target is the class of each pixel.

    Raises:
        DataError: what `TwoFolders.paired`, `table_of` and `make_splits` raise.
    """
    table = table_of(config)
    if config.told == "mask":
        return masked(_paired(config), table, config, input_spec)
    paired, reader = _several(config, table)
    return make_splits(paired, config, input_spec, labels_with_depths(table.labels), reader)


def whole(config: MaskFolderConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All pairs, for a model of these classes.

    Raises:
        DataError: as `build`; a class that the model does not know.
    """
    table = table_of(config)
    if config.told == "mask":
        return masked_whole(_paired(config), table, config, input_spec, labels)
    paired, reader = _several(config, table.renumbered(labels_of(labels, "mask")))
    return make_whole(paired, config, input_spec, labels, reader)


def truth(
    config: MaskFolderConfig,
    source: Path,
    file: Path,
    facts: Mapping[str, Any],
    labels: Sequence[str],
) -> Located:
    """One image with a mask that lies anywhere.

    Raises:
        DataError: it cannot be read, or holds what is no class.
    """
    table = table_of(config).renumbered(labels)
    return Located([source], Masks([file], table), facts)


def layout(config: MaskFolderConfig) -> Layout:
    """Everything in the folders, as it lies."""
    if config.told == "mask":
        return _paired(config).layout
    return _several(config, table_of(config))[0].layout


def measure(config: MaskFolderConfig) -> Measure:
    """For `onlay data check`: every mask is read, too."""
    table = table_of(config)
    if config.told == "mask":
        return masked_measure(_paired(config), table, config)
    return Measure(config, *_several(config, table), table.labels)


def _several(config: MaskFolderConfig, table: ClassTable) -> tuple[Paired, partial[Any]]:
    """Images with mask and depths, and what reads both."""
    depths = _folders(config, "depth", DEPTHS, config.depths, config.depth_ending)
    paired, partners = in_both(_paired(config), depths)
    values = config.depth_values
    return paired, partial(MasksAndDepths, table=table, partners=partners, values=values)


def _paired(config: MaskFolderConfig) -> Paired:
    return _folders(config, "mask", USUAL, config.masks, config.mask_ending)


def _folders(
    config: MaskFolderConfig, noun: str, usual: Sequence[str], own: str | None, ending: str
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
