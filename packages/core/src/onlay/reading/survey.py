"""All of some data, read once: what cannot be read, classes, sizes, and what is there twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from onlay.errors import DataError, OnlayError
from onlay.reading.duplicates import Placed, fingerprint, spread, told
from onlay.reading.labels import check_distinct
from onlay.reading.layouts import Layout
from onlay.reading.listing import PARTS, Item

Measure = Callable[[Any], Sequence[int]]
"""Reads all of an item's source and gives its extent."""

CHUNK = 16
"""Items that a process is sent at once."""


class Seen(NamedTuple):
    """What one item turned out to be."""

    extent: tuple[int, ...]
    fingerprint: Hashable | None
    """Equal for equal contents."""
    error: str = ""
    """Why it cannot be read, in one sentence."""
    labels: frozenset[str] = frozenset()
    """Classes that were found in it."""


class Extent(tuple[int, ...]):
    """What a measure may give instead of a bare extent: with the `labels` of what was found."""

    labels: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Survey:
    """What was found; every item once."""

    counts: Mapping[str, Mapping[str, int]]
    """Of each part the items of each class."""
    sizes: Mapping[str, int]
    """Of each part the items."""
    extents: Counter[tuple[int, ...]]
    """How many items have which extent."""
    unreadable: Sequence[str]
    """A sentence for each."""
    ambiguous: Sequence[str]
    """What is in two parts, or has two labels; labels that are hardly told apart."""
    repeated: int
    """Items whose content is there before, in the same part under the same label."""
    notes: Sequence[str]
    """What the layout leaves out, or looks through."""

    @property
    def good(self) -> bool:
        return not self.unreadable and not self.ambiguous


def survey(layout: Layout, measure: Measure, labels: Sequence[str] | None, workers: int) -> Survey:
    """Read all items of a layout, in `workers` processes; 0: in this one."""
    placed = [Placed(part, item) for part, items in layout.parts.items() for item in items]
    sources = [one.item.source for one in placed]
    seen = _in_processes(measure, sources, workers) if workers else _here(measure, sources)
    return summed_up(layout, placed, seen, labels)


def look(measure: Measure, source: Any) -> Seen:
    """One item."""
    try:
        found = measure(source)
        labels = found.labels if isinstance(found, Extent) else frozenset[str]()
        return Seen(tuple(map(int, found)), fingerprint(source), labels=labels)
    except OnlayError as error:
        return Seen((), None, str(error))


def summed_up(
    layout: Layout, placed: Sequence[Placed], seen: Sequence[Seen], labels: Sequence[str] | None
) -> Survey:
    """`seen` in the order of `placed`."""
    groups = _alike(placed, seen)
    crossing = [group for group in groups if spread(group)]
    names = {PARTS.get(part, part): items for part, items in layout.parts.items() if items}
    return Survey(
        counts=_counts(placed, seen),
        sizes={name: len(items) for name, items in names.items()},
        extents=Counter(one.extent for one in seen if not one.error),
        unreadable=[one.error for one in seen if one.error],
        ambiguous=[*_alike_labels(names.values(), labels), *told(crossing, "item")],
        repeated=sum(len(group) - 1 for group in groups if not spread(group)),
        notes=layout.notes,
    )


def _counts(placed: Sequence[Placed], seen: Sequence[Seen]) -> dict[str, Counter[str]]:
    """Of each part the items of each class, by what is listed and by what was found."""
    counts: dict[str, Counter[str]] = {}
    for one, own in zip(placed, seen, strict=True):
        tally = counts.setdefault(PARTS.get(one.part, one.part), Counter())
        tally.update({*one.item.labels, *own.labels})
    return counts


def _alike(placed: Sequence[Placed], seen: Sequence[Seen]) -> list[list[Placed]]:
    """Groups of two and more of one content."""
    alike: dict[Hashable, list[Placed]] = defaultdict(list)
    for one, own in zip(placed, seen, strict=True):
        if own.fingerprint is not None:
            alike[own.fingerprint].append(one)
    return [group for group in alike.values() if len(group) > 1]


def _alike_labels(parts: Iterable[Sequence[Item]], listed: Sequence[str] | None) -> Iterator[str]:
    labels = {label for items in parts for item in items for label in item.labels}
    try:
        check_distinct(labels, listed)
    except DataError as error:
        yield str(error)


def _here(measure: Measure, sources: Sequence[Any]) -> list[Seen]:
    return [look(measure, source) for source in sources]


def _in_processes(measure: Measure, sources: Sequence[Any], workers: int) -> list[Seen]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    given: Any = {"initializer": _begin, "initargs": (measure, sources)}
    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), **given) as pool:
            return list(pool.map(_look_at, range(len(sources)), chunksize=CHUNK))
    except BrokenProcessPool as error:
        raise DataError(
            "a process that read data came to an end, by a decoder or for want of memory: try"
            " fewer, or none, with `--workers`"
        ) from error


_given: list[Any] = []
"""In a process that reads: what measures, and all sources, which are sent once."""


def _begin(measure: Measure, sources: Sequence[Any]) -> None:
    _given[:] = [measure, sources]


def _look_at(place: int) -> Seen:
    measure, sources = _given
    return look(measure, sources[place])
