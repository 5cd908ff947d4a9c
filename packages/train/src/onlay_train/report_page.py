"""The page of a report: one file, which needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import PurePath
from string import Template
from typing import TYPE_CHECKING

from onlay.reports import Cell, Mistake, Report, Table, measure_named

if TYPE_CHECKING:
    from onlay_train.report_folder import Judged


@dataclass(frozen=True)
class Card:
    """A mistake, the name of its item, and its picture's address; empty without one."""

    name: str
    mistake: Mistake
    picture: str


def page(report: Report, judged: Judged, cards: Sequence[Card]) -> str:
    """HTML, with everything in it."""
    template = files("onlay_train").joinpath("report_page.html").read_text("utf-8")
    return Template(template).substitute(
        title=escape(f"Report: {judged.about.get('run', judged.what)}"),
        about="".join(_fact(name, value) for name, value in _about(report, judged).items()),
        metrics="".join(
            _metric(name, measure_named(name, judged.measures).text(value))
            for name, value in judged.metrics.items()
        ),
        drawings="".join(_drawings(report)),
        tables="".join(map(_table, (table for table in report.tables if table.shown))),
        mistakes="".join(_mistakes(report, cards)),
    )


def _about(report: Report, judged: Judged) -> Mapping[str, str]:
    facts = {name.replace("_", " "): str(value) for name, value in report.facts.items()}
    return {**judged.about, "judged": f"{judged.what}, {judged.samples:,} items", **facts}


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt> <dd>{escape(value)}</dd></div>"


def _metric(name: str, shown: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(shown)}</dd></div>"


def _drawings(report: Report) -> Iterator[str]:
    for drawing in report.drawings:
        yield f"<section><h2>{escape(drawing.title)}</h2>"
        yield f'<figure>{drawing.svg}</figure><p><a href="{drawing.name}.svg">picture</a>'
        if any(table.name == drawing.name for table in report.tables):
            yield f', <a href="{drawing.name}.csv">table</a>'
        yield "</p></section>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(_cells(table, row))}</tr>" for row in table.rows)
    return (
        f"<section><h2>{escape(table.title)}</h2><div class=scroll><table><thead><tr>{head}</tr>"
        f'</thead><tbody>{rows}</tbody></table></div><p><a href="{table.name}.csv">table</a></p>'
        "</section>"
    )


def _cells(table: Table, row: Sequence[Cell]) -> Iterator[str]:
    for name, value in zip(table.columns, row, strict=True):
        if isinstance(value, str):
            yield f"<td>{escape(value)}</td>"
        elif name in table.shares:
            yield f"<td class=n>{100 * value:.1f} %</td>"
        else:
            yield (
                f"<td class=n>{value:,}</td>"
                if isinstance(value, int)
                else (f"<td class=n>{value:.4g}</td>")
            )


def _mistakes(report: Report, cards: Sequence[Card]) -> Iterator[str]:
    count = len(report.mistakes)
    yield f"<section class=wide><h2>{escape(report.mistakes_title)}</h2>"
    if not count:
        yield "<p>None.</p></section>"
        return
    some = f"the first {len(cards):,} of {count:,}" if count > len(cards) else f"all {count:,}"
    yield f'<p>Shown are {some}; <a href="mistakes.csv">table</a>.</p><div id=mistakes>'
    yield from map(_card, cards)
    yield "</div></section>"


def _card(card: Card) -> str:
    name, mistake = escape(card.name), card.mistake
    picture = f'<img src="{escape(card.picture)}" alt="{name}">' if card.picture else ""
    return (
        f"<article>{picture}<div>said <b>{escape(mistake.said)}</b>,"
        f" {escape(mistake.score_text)}</div>"
        f"<div>truly <b>{escape(mistake.true)}</b></div>"
        f'<small title="{name}">{escape(_short(card.name))}</small></article>'
    )


def _short(name: str) -> str:
    """The file and the folder that it is in."""
    return "/".join(PurePath(name).parts[-2:])
