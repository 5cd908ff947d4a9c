"""Tables of Parquet with an image in each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.layouts import Layout, divided
from onlay.reading.listing import Item
from onlay.reading.parquet_rows import Row
from onlay.reading.parquet_table import TableFile
from onlay.reading.pieces import by_part, gaps, pieces
from onlay.reading.tar_samples import class_names
from onlay_image.data.config import ParquetConfig
from onlay_image.data.splits import NOUN, in_blocks, make_splits, make_whole


def build(config: ParquetConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from the names of the files, else by a stratified split.

    Raises:
        DataError: no table, one that is missing or cut short, a row without a label; and see
            `make_splits`.
    """
    listing = divided(layout(config), config, NOUN)
    labels = config.labels or class_names(config.classes)
    splits = make_splits(listing, config, input_spec, labels)
    packed = all(isinstance(item.source, Row) for item in listing.train)
    return in_blocks(splits, config.window) if packed and config.order == "blocks" else splits


def whole(config: ParquetConfig, input_spec: Mapping[str, Any], labels: Sequence[str]) -> Whole:
    """All images of the tables, for a model of these classes.

    Raises:
        DataError: as `build`, but for parts and classes that are absent; a class that is unknown.
    """
    return make_whole(layout(config), config, input_spec, labels)


def layout(config: ParquetConfig) -> Layout:
    """Everything in the tables, as it lies.

    Raises:
        DataError: as `build`, but for splits.
    """
    found = pieces(config.path, ".parquet")
    names = class_names(config.classes)
    parts: dict[str, list[Item]] = {
        part: [
            item
            for path in paths
            for item in TableFile(path, config.columns).items(names, config.root or path.parent)
        ]
        for part, paths in by_part(found, config.parts, config.path).items()
    }
    return Layout(parts, gaps(found))
