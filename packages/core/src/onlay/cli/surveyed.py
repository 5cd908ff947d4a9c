"""What `onlay data check` found, as JSON and in lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from onlay.machine.guard import escaped

if TYPE_CHECKING:
    from onlay.reading.survey import Survey

SHOWN = 20
"""Classes, extents and sentences that a terminal is shown of each kind."""


def facts(found: Survey) -> dict[str, Any]:
    """For programs."""
    common = found.extents.most_common(SHOWN)
    return {
        "items": sum(found.sizes.values()),
        "parts": {
            part: {"items": size, "classes": dict(sorted(found.counts[part].items()))}
            for part, size in found.sizes.items()
        },
        "extents": [{"extent": list(extent), "items": n} for extent, n in common],
        "smallest": list(min(found.extents, default=())),
        "largest": list(max(found.extents, default=())),
        "unreadable": list(found.unreadable),
        "ambiguous": list(found.ambiguous),
        "repeated": found.repeated,
        "notes": list(found.notes),
        "good": found.good,
    }


def lines(found: Survey) -> Iterator[str]:
    """For people: each on one line, whatever classes and files are called."""
    yield from map(escaped, _lines(found))


def _lines(found: Survey) -> Iterator[str]:
    yield from found.notes
    for part, size in found.sizes.items():
        counts = sorted(found.counts[part].items(), key=lambda pair: (-pair[1], pair[0]))
        classes = f" of {len(counts)} classes: {_few(counts)}" if counts else ""
        yield f"{part:<12}{size:,} items{classes}"
    sizes = [(" x ".join(map(str, extent)), n) for extent, n in found.extents.most_common()]
    if sizes:
        yield f"{'size':<12}{_few(sizes)}"
    if found.repeated:
        yield f"{'repeated':<12}{found.repeated:,} items are there before, in the same class"
    for name, sentences in (("unreadable", found.unreadable), ("ambiguous", found.ambiguous)):
        yield from (f"{name:<12}{sentence}" for sentence in sentences[:SHOWN])
        if len(sentences) > SHOWN:
            yield f"{name:<12}and {len(sentences) - SHOWN:,} more: `--json` tells all"
    yield "all is well" if found.good else _count(found)


def _few(pairs: list[tuple[str, int]]) -> str:
    rest = len(pairs) - SHOWN
    told = ", ".join(f"{n:,} {name}" for name, n in pairs[:SHOWN])
    return f"{told}, and {rest:,} others" if rest > 0 else told


def _count(found: Survey) -> str:
    return f"{len(found.unreadable):,} unreadable, {len(found.ambiguous):,} ambiguous"
