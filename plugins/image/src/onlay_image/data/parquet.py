"""Tables of Parquet with an image in each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onlay.data import Splits, Whole
from onlay.reading.layouts import Layout, divided
from onlay.reading.listing import Item
from onlay.reading.parquet_parts import PartedTables
from onlay.reading.parquet_rows import Row
from onlay.reading.parquet_table import TableFile
from onlay.reading.pieces import gaps, pieces
from onlay.reading.tar_samples import class_names
from onlay_image.data.config import ParquetConfig
from onlay_image.data.splits import NOUN, in_blocks, make_splits, make_whole


def build(config: ParquetConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from the names of the files or a column, else by a stratified split.

    Raises:
        DataError: no table, one that is missing or cut short, a row without a label or of an
            unknown split; and see `make_splits`.
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
    tables = [TableFile(path, config.columns) for _, path in found]
    notes = list(gaps(found))
    divided = PartedTables(found, tables, config.path, config.parts).rows(notes)
    parts: dict[str, list[Item]] = {
        part: [
            item
            for table, rows in own
            for item in table.items(names, config.root or table.path.parent, rows)
        ]
        for part, own in divided.items()
    }
    read = [table for own in divided.values() for table, _ in own]
    chosen = [table.choice(kind, config.path) for kind in ("image", "label") for table in read]
    return Layout(parts, (*notes, *(note for note in dict.fromkeys(chosen) if note)))
