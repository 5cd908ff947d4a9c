"""VTAB-1k as NOAH exports it: `train800val200.txt`, `test.txt`, each line `images/... label`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.layouts import Layout
from onlay.reading.listing import Item, Listing
from onlay_image.data.config import VtabConfig
from onlay_image.data.splits import make_splits


def build(config: VtabConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published parts; classes are numbered, and named if `labels` says how.

    Raises:
        DataError: a missing list, a malformed line; and see `make_splits`.
    """
    parts = layout(config).parts
    listing = Listing(parts["train"], parts["val"], parts["test"])
    return make_splits(listing, config, input_spec, config.labels)


def layout(config: VtabConfig) -> Layout:
    """The published parts.

    Raises:
        DataError: a missing list, a malformed line.
    """
    val = ["val200.txt"] if config.train == "train800" else []
    files = {"train": [f"{config.train}.txt"], "val": val, "test": ["test.txt"]}
    return Layout(
        {
            part: [item for name in own for item in _items(config.path, name, config.labels)]
            for part, own in files.items()
        }
    )


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
