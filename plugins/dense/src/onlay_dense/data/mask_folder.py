"""Images and masks in two folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.layouts import Layout
from onlay_dense.data.config import MaskFolderConfig
from onlay_dense.data.masked import masked, masked_measure, masked_whole
from onlay_dense.data.masks import Masks
from onlay_dense.data.meaning import table_of
from onlay_dense.data.pairs import Paired, TwoFolders
from onlay_dense.data.splits import Measure
from onlay_image.data.located import Located

USUAL = ("masks", "mask", "labels", "label", "annotations", "SegmentationClass", "segmentation")


def build(config: MaskFolderConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from folders, else by `data.split_seed`; a target is the class of each pixel.

    Raises:
        DataError: what `TwoFolders.paired`, `table_of` and `make_splits` raise.
    """
    return masked(_paired(config), table_of(config), config, input_spec)


def whole(config: MaskFolderConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All pairs, for a model of these classes.

    Raises:
        DataError: as `build`; a class that the model does not know.
    """
    return masked_whole(_paired(config), table_of(config), config, input_spec, labels)


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
    return _paired(config).layout


def measure(config: MaskFolderConfig) -> Measure:
    """For `onlay data check`: every mask is read, too."""
    return masked_measure(_paired(config), table_of(config), config)


def _paired(config: MaskFolderConfig) -> Paired:
    return TwoFolders(
        root=config.path,
        noun="mask",
        usual=USUAL,
        own=config.masks,
        images=config.images,
        endings=(config.image_ending, config.mask_ending),
        drop=config.unpaired == "drop",
    ).paired(config.parts)
