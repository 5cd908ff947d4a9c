"""VTAB-1k as NOAH exports it: `train800val200.txt`, `test.txt`, each line `images/... label`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.listing import Item, Listing
from onlay_image.data.config import VtabConfig
from onlay_image.data.splits import make_splits


def build(config: VtabConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published parts; classes are numbered, and named if `labels` says how.

    Raises:
        DataError: a missing list, a malformed line; and see `make_splits`.
    """
    names = config.labels
    listing = Listing(
        _items(config.path, f"{config.train}.txt", names),
        _items(config.path, "val200.txt", names) if config.train == "train800" else [],
        _items(config.path, "test.txt", names),
    )
    return make_splits(listing, config, input_spec, names)


def _items(folder: Path, name: str, names: tuple[str, ...] | None) -> list[Item]:
    path = folder / name
    if not path.is_file():
        raise DataError(f"the split file `{path}` is missing")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        _item(folder, line, f"line {number} of `{path}`", names)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _item(folder: Path, line: str, where: str, names: tuple[str, ...] | None) -> Item:
    picture, _, label = line.strip().rpartition(" ")
    if not picture or not label.isdecimal():
        raise DataError(f"{where} is not a path and a class number")
    if names is not None and int(label) >= len(names):
        raise DataError(f"{where} has the label `{label}`, and there are {len(names)} classes")
    return Item(folder / picture, label if names is None else names[int(label)], picture)
