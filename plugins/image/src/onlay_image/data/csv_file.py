"""A table of paths and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.label_tables import LabelTable
from onlay.reading.layouts import Layout, divided
from onlay_image.data.config import ImageCsvConfig
from onlay_image.data.splits import NOUN, make_splits, make_whole


def build(config: ImageCsvConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from the column `split`, else by a stratified split.

    Raises:
        DataError: what `LabelTable.layout`, `divided` and `make_splits` raise.
    """
    listing = divided(_table(config).layout(config), config, NOUN)
    return make_splits(listing, config, input_spec, config.labels)


def whole(config: ImageCsvConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All images of the table, for a model of these classes.

    Raises:
        DataError: as `build`, but for parts and classes that are absent; a class that is unknown.
    """
    known = config.model_copy(update={"labels": tuple(labels)})
    return make_whole(_table(config).layout(known), config, input_spec, labels)


def layout(config: ImageCsvConfig) -> Layout:
    """Everything in the table, as it lies."""
    return _table(config).layout(config)


def _table(config: ImageCsvConfig) -> LabelTable:
    return LabelTable(config.path, config.root or config.path.parent, NOUN)
