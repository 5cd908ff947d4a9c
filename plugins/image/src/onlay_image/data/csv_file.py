"""A CSV file of paths and labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay.listing import Item, Listing, stratified
from onlay_image.data.config import ImageCsvConfig
from onlay_image.data.splits import make_splits

_PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def build(config: ImageCsvConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Parts from the column `split`, else by a stratified split.

    Raises:
        DataError: no such file, a missing column, an unknown split; and see `make_splits`.
    """
    if not config.path.is_file():
        raise DataError(f"there is no file `{config.path}`")
    rows = list(_rows(config.path, config.root or config.path.parent))
    return make_splits(_listing(rows, config), config, input_spec, config.labels)


def _listing(rows: list[tuple[str | None, Item]], config: ImageCsvConfig) -> Listing:
    parts = {part: [item for own, item in rows if own == part] for part in ("train", "val", "test")}
    train, val, test = parts.values()
    if not (train or val or test):
        items = [item for _, item in rows]
        train, test = stratified(items, config.test_size, config.split_seed, noun="image")
    if not val:
        train, val = stratified(train, config.val_size, config.split_seed, noun="image")
    return Listing(train, val, test)


def _rows(path: Path, root: Path) -> Iterator[tuple[str | None, Item]]:
    """The part that a row is in, if the file says so, and its item."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        missing = [name for name in ("path", "label") if name not in (table.fieldnames or ())]
        if missing:
            have = ", ".join(f"`{name}`" for name in table.fieldnames or ()) or "none"
            raise DataError(f"`{path}` has no column `{missing[0]}` (have: {have})")
        for row in table:
            where = f"line {table.line_num} of `{path}`"
            if not row["path"] or not row["label"]:
                raise DataError(f"{where} has no path or no label")
            part = _part(row["split"], where) if "split" in row else None
            yield part, Item(root / row["path"], row["label"], row["path"])


def _part(split: str | None, where: str) -> str:
    if split not in _PARTS:
        raise DataError(f"{where} has the split `{split or ''}` (known: train, val, test)")
    return _PARTS[split]
