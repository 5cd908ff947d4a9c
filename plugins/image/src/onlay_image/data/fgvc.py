"""Fine-grained classification with the splits that VPT published: JSON files of path -> class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.labels import missing
from onlay.reading.layouts import Layout
from onlay.reading.listing import PARTS, Item, Listing
from onlay_image.data.config import FgvcConfig
from onlay_image.data.splits import make_splits

_HOMES = ("", "images", "Images")


def build(config: FgvcConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The parts of `train.json`, `val.json` and `test.json`.

    Raises:
        DataError: a missing file, or one that is no such JSON; and see `make_splits`.
    """
    parts = layout(config).parts
    return make_splits(Listing(*(parts[part] for part in PARTS)), config, input_spec)


def layout(config: FgvcConfig) -> Layout:
    """The published parts.

    Raises:
        DataError: a missing file, or one that is no such JSON.
    """
    entries = {part: _entries(config.path / f"{part}.json") for part in PARTS}
    home = _home(config, next(iter(entries["train"]), ""))
    return Layout({part: _items(own, home) for part, own in entries.items()})


def _entries(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"the split file `{path}` is missing")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"`{path}` is no JSON") from error
    if not isinstance(entries, dict):
        raise DataError(f"`{path}` does not map paths to classes")
    for name, label in entries.items():
        if isinstance(label, bool) or not isinstance(label, int | str) or missing(str(label)):
            raise DataError(f"`{name}` of `{path}` has the class `{label}`, which is none")
    return entries


def _home(config: FgvcConfig, example: str) -> Path:
    """The folder in which the images lie."""
    homes = _HOMES if config.images is None else (config.images,)
    for home in homes:
        if (config.path / home / example).is_file():
            return config.path / home
    raise DataError(
        f"`{example}` of `{config.path / 'train.json'}` is not there"
        f" (looked below: {', '.join(f'`{config.path / home}`' for home in homes)})"
    )


def _items(entries: Mapping[str, Any], home: Path) -> list[Item]:
    return [Item(home / name, str(label), name) for name, label in entries.items()]
