"""What all data sets of masks do: classes by one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from onlay.config.data import SplitConfig
from onlay.data import Splits, Whole
from onlay.reading.listing import PARTS, Listing
from onlay_dense.data.masks import Masks
from onlay_dense.data.pairs import Paired
from onlay_dense.data.splits import Measure, make_splits, make_whole, splits_of
from onlay_dense.data.table import ClassTable


def masked(paired: Paired, table: ClassTable, config: Any, input_spec: Mapping[str, Any]) -> Splits:
    """The parts, with masks of the table's classes; what is missing is split off where the settings
    say how much."""
    reader = partial(Masks, table=table)
    if isinstance(config, SplitConfig):
        return make_splits(paired, config, input_spec, table.labels, reader)
    parts = [paired.layout.parts.get(part, ()) for part in PARTS]
    listing = Listing(*parts, notes=paired.layout.notes, targets=paired.layout.targets)
    return splits_of(listing, paired, config, input_spec, table.labels, reader)


def masked_whole(
    paired: Paired,
    table: ClassTable,
    config: Any,
    input_spec: Mapping[str, Any],
    labels: Sequence[str],
) -> Whole:
    """All pairs, with masks of a model's classes."""
    reader = partial(Masks, table=table.renumbered(labels))
    return make_whole(paired, config, input_spec, labels, reader)


def masked_measure(paired: Paired, table: ClassTable, config: Any) -> Measure:
    """What reads an image and its mask."""
    return Measure(config, paired, partial(Masks, table=table), table.labels)
