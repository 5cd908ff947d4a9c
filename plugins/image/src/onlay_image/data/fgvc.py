"""Fine-grained classification with the splits that VPT published, JSON files of path -> class, or
with the lists of the data sets' authors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.labels import missing
from onlay.reading.layouts import Layout
from onlay.reading.listing import PARTS, Item, Listing, stratified
from onlay_image.data.config import FgvcConfig
from onlay_image.data.fgvc_lists import entries_of, lists_in
from onlay_image.data.splits import NOUN, make_splits

_HOMES = ("", "images", "Images")
_NOTE = (
    "by the authors' lists (`{}`), for VPT's `train.json` is not there: published figures are of"
    " VPT's division of the training part"
)


def build(config: FgvcConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The parts of `train.json`, `val.json` and `test.json`; else those of the authors' lists,
    `val_size` of the training part split off where they have none to validate on.

    Raises:
        DataError: a missing file, or one that is no such JSON or list; and see `make_splits`.
    """
    found = layout(config)
    train, val, test = (found.parts[part] for part in PARTS)
    if not val and found.notes:
        train, val = stratified(train, config.val_size, config.split_seed, noun=NOUN)
    listing = Listing(train, val, test, notes=found.notes)
    return make_splits(listing, config, input_spec)


def layout(config: FgvcConfig) -> Layout:
    """The published parts.

    Raises:
        DataError: a missing file, or one that is no such JSON or list.
    """
    official = None if (config.path / "train.json").is_file() else lists_in(config.path)
    if official is None:
        entries = {part: _entries(config.path / f"{part}.json") for part in PARTS}
        return Layout(_placed(config, {part: own.items() for part, own in entries.items()}))
    kind, files = official
    return Layout(_placed(config, entries_of(kind, files)), (_NOTE.format(files[0].name),))


def _placed(
    config: FgvcConfig, entries: Mapping[str, Iterable[tuple[str, Any]]]
) -> dict[str, list[Item]]:
    home = _home(config, next(iter(entries["train"]), ("", ""))[0])
    return {
        part: [Item(home / name, str(label), name) for name, label in entries.get(part, ())]
        for part in PARTS
    }


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
        f"`{example}` of the lists in `{config.path}` is not there"
        f" (looked below: {', '.join(f'`{config.path / home}`' for home in homes)})"
    )
