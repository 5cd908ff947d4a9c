"""The tables of a report's page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape

from onlay_train.grid.report import groups
from onlay_train.grid.report.budgets import of_trials
from onlay_train.grid.report.files import (
    MARK,
    difference_text,
    floor,
    mean_text,
    named,
    over_text,
    p_text,
)
from onlay_train.grid.report.rows import Found, Row, Search
from onlay_train.grid.report.statistics import mean_of
from onlay_train.grid.report.summary import Standing, Summary, on_data

FIRST = 3
"""So many data sets have their columns in front of everything else."""
_NUMBER = re.compile(r"<?[-+]?[\d.,]+(%| ± [\d.]+| \[.*\]| to .*)?|-|reference|")


def standings(found: Found, summary: Summary) -> str:
    """Every method across data sets, and what it costs."""
    searched, ranks = (
        bool(found.searches),
        any(s.over and s.over.wilcoxon for s in summary.standings),
    )
    first, last = _places(found)
    head = ["method", *first, *groups.heads(found), found.scale.over(summary.reference)]
    head += ["p (Holm)", *(["p (Wilcoxon)"] if ranks else []), "wins", "ties", "losses"]
    head += ["training", "last loss", "trained", "ms a step", "peak MiB", "bundle KiB"]
    head += [*(["trials", "spread"] if searched else []), "failed", "diverged", *last]
    rows = [_standing(standing, found, ranks, searched) for standing in summary.standings]
    return table("standings", head, [*rows, *_floor(found, len(head))])


def _floor(found: Found, width: int) -> list[list[str]]:
    """What needs no training, in the columns of the data sets."""
    rows = floor(found, width)
    if not _places(found)[1]:
        return rows
    several = len(found.datasets)
    own = [(row[0], row[1 : 1 + several], row[1 + several :]) for row in rows]
    return [[name, *empty, *shares] for name, shares, empty in own]


def _standing(standing: Standing, found: Found, ranks: bool, searched: bool) -> list[str]:
    over = standing.over
    counts = (over.wins, over.ties, over.losses) if over else ("", "", "")
    score = found.scale.score
    spread = "" if standing.spread is None else score(standing.spread)
    first, last = _places(found)
    return [
        named(standing),
        *(mean_text(standing.means.get(data), found.scale) for data in first),
        *groups.cells(standing, found),
        over_text(standing, found.scale) or "reference",
        p_text(over.p_holm if over else None),
        *([p_text(over.wilcoxon if over else None)] if ranks else []),
        *map(str, counts),
        "" if standing.train is None else score(standing.train),
        f"{standing.loss:.3f}",
        f"{standing.trained:,}",
        f"{1000 * standing.step_seconds:.1f}",
        f"{standing.peak_bytes / 2**20:,.0f}",
        f"{standing.bundle_bytes / 2**10:,.0f}",
        *([of_trials(standing.tried, standing.trials), spread] if searched else []),
        str(standing.failed),
        str(standing.diverged),
        *(mean_text(standing.means.get(data), found.scale) for data in last),
    ]


def _places(found: Found) -> tuple[list[str], list[str]]:
    """Data sets whose columns come first, and last: of many the mean is what one looks for."""
    return (found.datasets, []) if len(found.datasets) <= FIRST else ([], found.datasets)


def by_data(found: Found, summary: Summary) -> str:
    """Every method on every data set: mean, deviation, interval, and what went wrong."""
    head = ["data", "method", "seeds", found.axis, "deviation", "95 % interval"]
    head += [found.scale.over(summary.reference), "training", "last loss", "failed", "diverged"]
    rows = []
    for data in found.datasets:
        rows += [_on(found, data, standing, summary) for standing in summary.standings]
        if own := found.trivial.get(data):
            rows.append([data, own.what, "", found.scale.score(own.score), *[""] * (len(head) - 4)])
    return table("by-data", head, rows)


def _on(found: Found, data: str, standing: Standing, summary: Summary) -> list[str]:
    own = [row for row in found.rows if (row.data, row.method) == (data, standing.method)]
    lost = [each for each in found.lost if (each.data, each.method) == (data, standing.method)]
    mean = standing.means.get(data)
    trains = [row.train for row in own if row.train is not None]
    interval, reference = "", summary.reference
    over = on_data(found, standing.method, reference, data, summary.margin)
    if mean is not None and mean.low is not None and mean.high is not None:
        interval = f"{found.scale.score(mean.low)} to {found.scale.score(mean.high)}"
    return [
        data,
        named(standing),
        str(len(own)),
        _or_nothing(None if mean is None else mean.mean, found),
        _or_nothing(None if mean is None else mean.deviation, found),
        interval,
        "reference" if standing.method == reference else difference_text(over, found.scale),
        _or_nothing(mean_of(trains).mean if trains else None, found),
        f"{mean_of([row.loss for row in own]).mean:.3f}" if own else "",
        str(len(lost)),
        str(sum(each.diverged for each in lost)),
    ]


def searches(found: Found) -> str:
    """What every search came to."""
    head = ["method", "data", "trials", "best", "worst", "spread", "failed", "diverged"]
    head += ["chosen", "best quarter"]
    return table("searches", head, (_search(search, found) for search in found.searches))


def _search(search: Search, found: Found) -> list[str]:
    best, worst = (search.scores[0], search.scores[-1]) if search.scores else (None, None)
    return [
        search.method,
        search.data,
        of_trials(search.tried, search.trials),
        *(_or_nothing(value, found) for value in (best, worst, search.spread)),
        str(search.failed),
        str(search.diverged),
        ", ".join(f"{key}={value:g}" for key, value in search.chosen.items()),
        ", ".join(f"{key} {low:.2g} to {high:.2g}" for key, (low, high) in search.useful.items()),
    ]


def cells(found: Found) -> str:
    """Every cell that is done, and the command that trains it once more."""
    head = ["method", "data", "seed", found.axis, "training", "last loss", "trained", "command"]
    return table("cells", head, (_cell(row, found) for row in found.rows))


def _cell(row: Row, found: Found) -> list[str]:
    finer = replace(found.scale, places=found.scale.places + 1)
    return [
        row.method + (MARK if row.published else ""),
        row.data,
        row.seed.strip("[]").replace('"', ""),
        finer.score(row.score),
        "" if row.train is None else finer.score(row.train),
        f"{row.loss:.4f}",
        f"{row.trained:,}",
        f"onlay train {shlex.quote(f'{found.root}/cells/{row.cell}/config.yaml')} out=again",
    ]


def table(name: str, head: Sequence[str], rows: Iterable[list[str]]) -> str:
    """HTML whose columns sort; numbers stand below each other."""
    every = list(rows)
    number = [all(_NUMBER.fullmatch(row[place]) for row in every) for place in range(len(head))]
    classes = [" class=n" if number[place] and place else "" for place in range(len(head))]
    titles = zip(head, classes, strict=True)
    top = "".join(f"<th{c}><button>{escape(title)}</button></th>" for title, c in titles)
    body = "".join(_row(row, classes) for row in every)
    return (
        f"<div class=scroll><table id={name}><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[str], classes: Sequence[str]) -> str:
    texts = zip(row, classes, strict=True)
    return f"<tr>{''.join(f'<td{c}>{escape(text)}</td>' for text, c in texts)}</tr>"


def _or_nothing(value: float | None, found: Found) -> str:
    return "" if value is None else found.scale.score(value)
