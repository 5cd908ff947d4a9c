"""The report as one page, which needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from onlay_train.grid.report import tables
from onlay_train.grid.report.draw import drawings
from onlay_train.grid.report.regimes import captions
from onlay_train.grid.report.rows import Found
from onlay_train.grid.report.summary import Summary


def page(found: Found, summary: Summary, told: Sequence[str]) -> str:
    """HTML, with everything in it."""
    room, below = files("onlay_train.grid.report"), captions(found, summary.margin)
    return Template(room.joinpath("page.html").read_text("utf-8")).substitute(
        title=escape(f"Comparison: {found.name}"),
        told=_list(told),
        counted=escape(_counted(found)),
        standings=tables.standings(found, summary),
        drawings="".join(
            _drawing(title, svg, below.get(title, ())) for title, svg in drawings(found, summary)
        ),
        by_data=tables.by_data(found, summary),
        searches=_searches(found),
        lost=_lost(found),
        cells=tables.cells(found),
        script=room.joinpath("page.js").read_text("utf-8"),
    )


def _counted(found: Found) -> str:
    """On how much the page rests."""
    counts = {
        "method": len(found.methods),
        "data set": len(found.sources),
        "cell": len(found.rows),
        "seed": len({row.seed for row in found.rows}),
    }
    told = [f"{n} {noun}{'' if n == 1 else 's'}" for noun, n in counts.items()]
    lost = sum(each.what.startswith("seed") for each in found.lost)
    more = [f"{lost} failed"] if lost else []
    more += [f"{found.open_cells} not done"] if found.open_cells else []
    return ", ".join([*told, *more])


def _drawing(title: str, svg: str, below: Sequence[str]) -> str:
    said = f"<figcaption>{' '.join(map(_code, below))}</figcaption>" if below else ""
    return f"<section><h2>{escape(title)}</h2><figure>{svg}{said}</figure></section>"


def _searches(found: Found) -> str:
    if not found.searches:
        return ""
    return (
        "<section class=wide><h2>Search, on the validation part</h2>"
        f"{tables.searches(found)}</section>"
    )


def _lost(found: Found) -> str:
    if not found.lost and not found.skipped:
        return ""
    failed = [f"{lost.method}, {lost.data}, {lost.what}: {lost.said}" for lost in found.lost]
    lines = _list([*failed, *found.skipped])
    return f"<section class=wide><h2>Failed and left out</h2><ul>{lines}</ul></section>"


def _list(sentences: Sequence[str]) -> str:
    return "".join(f"<li>{_code(sentence)}</li>" for sentence in sentences)


def _code(sentence: str) -> str:
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
