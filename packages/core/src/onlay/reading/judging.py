"""Data that a finished model is judged on: all of them, as they lie, with the model's classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from onlay.config.data import FilesConfig
from onlay.data import Whole
from onlay.errors import DataError
from onlay.reading.duplicates import settled
from onlay.reading.labels import same
from onlay.reading.layouts import Layout, divided
from onlay.reading.listed import listed
from onlay.reading.listing import PARTS, Item, Listing, some

if TYPE_CHECKING:
    from torch.utils.data import Dataset


def whole(
    layout: Layout,
    config: FilesConfig,
    labels: Sequence[str],
    noun: str,
    make: Callable[[Sequence[Item]], Dataset[Any]],
) -> Whole:
    """Nothing is split off, and any part or class may be absent; `make` makes a data set of items.

    Raises:
        DataError: nothing there, or a class that is none of `labels`.
    """
    parts = {PARTS.get(name, name): items for name, items in layout.parts.items() if items}
    if not parts:
        raise DataError(f"there are no {noun}s to judge")
    parts = {name: _fitted(items, labels) for name, items in parts.items()}
    every = settled(Listing((), (), list(chain(*parts.values()))), config.duplicates, noun)
    kept = {id(item) for item in every.test}
    parts = {name: [item for item in own if id(item) in kept] for name, own in parts.items()}
    return Whole(
        everything=make(every.test),
        parts={name: make(items) for name, items in parts.items() if items},
        occurring=len({item.label for item in every.test}),
        digest=_as_split(layout, config, noun),
        notes=(*layout.notes, *every.notes),
    )


def _fitted(items: Sequence[Item], labels: Sequence[str]) -> list[Item]:
    """Items with the model's own spelling of their labels, in Unicode's other forms, too."""
    known: Mapping[str, str] = {same(label): label for label in labels} | {x: x for x in labels}
    names: dict[str, Any] = {
        label: known.get(label) or known.get(same(label)) for label in {i.label for i in items}
    }
    if unknown := sorted(label for label, own in names.items() if own is None):
        first = next(item for item in items if item.label == unknown[0])
        raise DataError(
            f"the data have {some(unknown)} (`{first.key}`), which this run does not know; it knows"
            f" the {len(labels)} classes {some(labels)}"
        )
    return [item._replace(label=names[item.label]) for item in items]


def _as_split(layout: Layout, config: FilesConfig, noun: str) -> str:
    """The digest that a run on these data would have; empty where none could be."""
    try:
        return listed(divided(layout, config, noun), config, noun, config.labels).digest
    except DataError:
        return ""
