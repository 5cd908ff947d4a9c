"""Data that a finished model is judged on: all of them, as they lie, with the model's classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from onlay.config.data import FilesConfig
from onlay.data import Whole
from onlay.errors import DataError
from onlay.reading.duplicates import settled
from onlay.reading.labels import same
from onlay.reading.layouts import Layout, divided
from onlay.reading.listed import listed
from onlay.reading.listing import COUNTED, PARTS, Item, Listing, Tags, occurring, some

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
    if layout.targets == "numbers":
        parts = {name: renamed(items, layout.names, labels) for name, items in parts.items()}
    else:
        absent = [x for x in labels if layout.names and same(x) not in map(same, layout.names)]
        parts = {name: _fitted(items, labels, absent) for name, items in parts.items()}
    every = settled(Listing((), (), list(chain(*parts.values()))), config.duplicates, noun)
    kept = {id(item) for item in every.test}
    parts = {name: [item for item in own if id(item) in kept] for name, own in parts.items()}
    return Whole(
        everything=make(every.test),
        parts={name: make(items) for name, items in parts.items() if items},
        occurring=len(occurring(every)) if layout.targets in COUNTED else len(labels),
        digest=_as_split(layout, config, noun),
        notes=(*layout.notes, *every.notes),
    )


def _fitted(items: Sequence[Item], labels: Sequence[str], absent: Sequence[str]) -> list[Item]:
    """Items with the model's own spelling of their labels, in Unicode's other forms, too; of labels
    for which a table has no column nobody knows."""
    known: Mapping[str, str] = {same(label): label for label in labels} | {x: x for x in labels}
    every = {label for item in items for label in named(item)}
    names: dict[str, Any] = {label: known.get(label) or known.get(same(label)) for label in every}
    if unknown := sorted(label for label, own in names.items() if own is None):
        first = next(item for item in items if unknown[0] in named(item))
        raise unknown_labels("data", unknown, labels, f" (`{first.key}`)")
    return [_spelt(item, names, absent) for item in items]


def unknown_labels(
    what: str, unknown: Sequence[str], labels: Sequence[str], where: str = ""
) -> DataError:
    """That data (`masks`) have labels which a model of these classes has not."""
    return DataError(
        f"the {what} have {some(unknown)}{where}, which this run does not know; it knows the"
        f" {len(labels)} classes {some(labels)}"
    )


def _spelt(item: Item, names: Mapping[str, str], absent: Sequence[str]) -> Item:
    if not isinstance(item.target, Tags):
        return item._replace(label=names[item.label])
    has, unknown = (frozenset(names[label] for label in each) for each in item.target)
    return item._replace(target=Tags(has, unknown.union(absent) - has))


def named(item: Item) -> Iterable[str]:
    """Every label that it has, or may have."""
    return (
        {*item.target.has, *item.target.unknown} if isinstance(item.target, Tags) else item.labels
    )


def renamed(items: Sequence[Item], names: Sequence[str], labels: Sequence[str]) -> list[Item]:
    """Numbers under the names that the model knows them by; a single one whatever its column is
    called.

    Raises:
        DataError: other numbers.
    """
    if len(names) == len(labels) == 1:
        pairs = dict(zip(names, labels, strict=True))
        numbers = [i.target for i in items if isinstance(i.target, Mapping)]
        own = [{pairs[name]: x for name, x in each.items()} for each in numbers]
        return [i._replace(target=each) for i, each in zip(items, own, strict=True)]
    if set(names) != set(labels):
        raise DataError(f"the data have the numbers {some(names)}, and this run has {some(labels)}")
    return list(items)


def _as_split(layout: Layout, config: FilesConfig, noun: str) -> str:
    """The digest that a run on these data would have; empty where none could be."""
    try:
        return listed(divided(layout, config, noun), config, noun, config.labels).digest
    except DataError:
        return ""
