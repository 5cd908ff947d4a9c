"""The reports of several heads as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from onlay.reports import Mistake, Report

TITLE = "The worst of each head in turn"


def reporting(heads: Mapping[str, Any]) -> dict[str, Any]:
    """Those that have a report."""
    return {name: own for name, own in heads.items() if hasattr(own, "report")}


def condensed(head: Any, output: Any, targets: Any) -> tuple[Any, Any]:
    """What one head's report needs of a batch."""
    own = getattr(head, "condense", None)
    return own(output, targets) if own else (output, targets)


def joined(reports: Mapping[str, Report]) -> Report:
    """All of each, under its head's name; of mistakes the worst of each, then the next ones, as
    errors of different tasks have no common measure."""
    return Report(
        metrics=_named(reports, "metrics"),
        measures=_named(reports, "measures"),
        facts=_named(reports, "facts"),
        tables=[replace(t, **_called(n, t)) for n, r in reports.items() for t in r.tables],
        drawings=[replace(d, **_called(n, d)) for n, r in reports.items() for d in r.drawings],
        mistakes=[own for turn in _turns(reports) for own in turn if own is not None],
        mistakes_title=TITLE,
    )


def _named(reports: Mapping[str, Report], what: str) -> dict[str, Any]:
    each = (
        (name, key, value)
        for name, own in reports.items()
        for key, value in getattr(own, what).items()
    )
    return {f"{name}/{key}": value for name, key, value in each}


def _called(name: str, piece: Any) -> dict[str, Any]:
    """A file of its own, and a title that says whose it is."""
    return {"name": f"{name}-{piece.name}", "title": f"{name}: {piece.title}"}


def _turns(reports: Mapping[str, Report]) -> Iterator[tuple[Mistake | None, ...]]:
    each = [[_told(name, own) for own in report.mistakes] for name, report in reports.items()]
    return zip_longest(*each)


def _told(name: str, mistake: Mistake) -> Mistake:
    return replace(mistake, said=f"{name}: {mistake.said}")
