"""The report as one page, which needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from string import Template

from onlay_train.grid.report import groups
from onlay_train.grid.report.draw import drawings
from onlay_train.grid.report.files import MARK, mean_text, named, over_text
from onlay_train.grid.report.rows import Found, Row
from onlay_train.grid.report.summary import Standing, Summary


def page(found: Found, summary: Summary, told: Sequence[str]) -> str:
    """HTML, with everything in it."""
    room = files("onlay_train.grid.report")
    return Template(room.joinpath("page.html").read_text("utf-8")).substitute(
        title=escape(f"Comparison: {found.name}"),
        told="".join(f"<li>{_code(sentence)}</li>" for sentence in told),
        standings=_standings(found, summary),
        drawings="".join(_drawing(*each) for each in drawings(found, summary)),
        searches=_searches(found),
        lost=_lost(found),
        cells=_cells(found),
        script=room.joinpath("page.js").read_text("utf-8"),
    )


def _standings(found: Found, summary: Summary) -> str:
    """The table across data sets."""
    head = ["method", *found.datasets, *groups.heads(found)]
    head += [f"over {summary.reference}", "p (Holm)", "wins, ties, losses", "training", "last loss"]
    head += [
        "trained",
        "ms a step",
        "peak MiB",
        "bundle KiB",
        "trials",
        "spread",
        "failed",
        "diverged",
    ]
    rows = (_standing(standing, found) for standing in summary.standings)
    return _table("standings", head, rows)


def _standing(standing: Standing, found: Found) -> list[str]:
    over = standing.over
    holm = over.p_holm if over else None
    return [
        named(standing),
        *(mean_text(standing.means.get(data)) for data in found.datasets),
        *groups.cells(standing, found),
        over_text(standing),
        "" if holm is None else f"{holm:.3f}",
        f"{over.wins}, {over.ties}, {over.losses}" if over else "",
        "" if standing.train is None else f"{standing.train:.1f}",
        f"{standing.loss:.3f}",
        f"{standing.trained:,}",
        f"{1000 * standing.step_seconds:.1f}",
        f"{standing.peak_bytes / 2**20:,.0f}",
        f"{standing.bundle_bytes / 2**10:,.0f}",
        str(standing.trials or ""),
        "" if standing.spread is None else f"{standing.spread:.1f}",
        str(standing.failed or ""),
        str(standing.diverged or ""),
    ]


def _drawing(title: str, svg: str) -> str:
    return f"<section><h2>{escape(title)}</h2><figure>{svg}</figure></section>"


def _searches(found: Found) -> str:
    if not found.searches:
        return ""
    head = ["method", "data", "trials", "best", "worst", "spread", "failed", "diverged", "chosen"]
    rows = (
        [
            search.method,
            search.data,
            str(search.trials),
            f"{search.scores[0]:.1f}" if search.scores else "",
            f"{search.scores[-1]:.1f}" if search.scores else "",
            "" if search.spread is None else f"{search.spread:.1f}",
            str(search.failed or ""),
            str(search.diverged or ""),
            ", ".join(f"{key}={value:g}" for key, value in search.chosen.items()),
        ]
        for search in found.searches
    )
    return (
        "<section class=wide><h2>Search, on the validation part</h2>"
        + _table("searches", head, rows)
        + "</section>"
    )


def _lost(found: Found) -> str:
    if not found.lost and not found.skipped:
        return ""
    failed = (f"{lost.method}, {lost.data}, {lost.what}: {lost.said}" for lost in found.lost)
    lines = "".join(f"<li>{_code(line)}</li>" for line in (*failed, *found.skipped))
    return f"<section class=wide><h2>Failed and left out</h2><ul>{lines}</ul></section>"


def _cells(found: Found) -> str:
    head = ["method", "data", "seed", found.metric, "training", "last loss", "trained", "command"]
    return _table("cells", head, (_cell(row) for row in found.rows))


def _cell(row: Row) -> list[str]:
    return [
        row.method + (MARK if row.published else ""),
        row.data,
        row.seed.strip("[]").replace('"', ""),
        f"{row.score:.2f}",
        "" if row.train is None else f"{row.train:.2f}",
        f"{row.loss:.4f}",
        f"{row.trained:,}",
        f"onlay train cells/{row.cell}/config.yaml out=again",
    ]


def _table(name: str, head: Sequence[str], rows: Iterator[list[str]]) -> str:
    titles = "".join(f"<th><button>{escape(title)}</button></th>" for title in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows
    )
    return (
        f"<div class=scroll><table id={name}><thead><tr>{titles}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _code(sentence: str) -> str:
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
