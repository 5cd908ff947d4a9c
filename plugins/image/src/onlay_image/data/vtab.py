"""VTAB-1k as NOAH exports it: `train800val200.txt`, `test.txt`, each line `images/... label`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from onlay.data import Splits
from onlay.reading.layouts import Layout
from onlay.reading.listing import Item, Listing
from onlay_image.data.config import VtabConfig
from onlay_image.data.lists import items_of, lines_of
from onlay_image.data.splits import make_splits

COUNTS = {"train800val200": 1000, "train800": 800, "val200": 200}
"""Lines of the published lists."""


def build(config: VtabConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published parts; classes are those of all lists, numbered, and named if `labels` says
    how. What differs from the published lists is in the notes.

    Raises:
        DataError: a missing list, a malformed line; and see `make_splits`.
    """
    parts = layout(config).parts
    listing = Listing(
        parts["train"], parts["val"], parts["test"], fixed=True, notes=tuple(_notes(config, parts))
    )
    return make_splits(listing, config, input_spec, config.labels or _classes(config, parts))


def layout(config: VtabConfig) -> Layout:
    """The published parts.

    Raises:
        DataError: a missing list, a malformed line.
    """
    val = ["val200.txt"] if config.train == "train800" else []
    files = {"train": [f"{config.train}.txt"], "val": val, "test": ["test.txt"]}
    return Layout(
        {
            part: [
                item
                for name in own
                for item in items_of(config.path / name, config.path, config.labels)
            ]
            for part, own in files.items()
        }
    )


def _classes(config: VtabConfig, parts: Mapping[str, Sequence[Item]]) -> tuple[str, ...]:
    """Numbers, of 1,000 images also where 800 are trained on: users found lists of 800 that lack
    classes of the other 200."""
    found = {item.label for items in parts.values() for item in items}
    whole = config.path / "train800val200.txt"
    if config.train == "train800" and whole.is_file():
        found |= {label for _, label in lines_of(whole)}
    return tuple(sorted(found, key=int))


def _notes(config: VtabConfig, parts: Mapping[str, Sequence[Item]]) -> Iterator[str]:
    lists = {config.train: parts["train"], **({"val200": parts["val"]} if parts["val"] else {})}
    for name, items in lists.items():
        if len(items) != COUNTS[name]:
            yield (
                f"warning: `{config.path / name}.txt` has {len(items):,} lines, and the published"
                f" list has {COUNTS[name]:,}"
            )
