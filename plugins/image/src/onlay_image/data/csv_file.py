"""A table of paths and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onlay.data import Splits
from onlay.label_tables import LabelTable
from onlay.layouts import divided
from onlay_image.data.config import ImageCsvConfig
from onlay_image.data.splits import NOUN, make_splits


def build(config: ImageCsvConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from the column `split`, else by a stratified split.

    Raises:
        DataError: what `LabelTable.layout`, `divided` and `make_splits` raise.
    """
    table = LabelTable(config.path, config.root or config.path.parent, NOUN)
    listing = divided(table.layout(config, config.columns), config, NOUN)
    return make_splits(listing, config, input_spec, config.labels)
