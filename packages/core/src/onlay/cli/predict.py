"""`onlay predict`: classes of files, or parts of clouds, with the bundle of a run."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onlay.cli.options import (
    backbone_option,
    bundle_argument,
    device_option,
    device_or_default,
    with_host,
)
from onlay.errors import DataError
from onlay.host import PluginHost

if TYPE_CHECKING:
    from onlay.model.predict import Unreadable
    from onlay.task import Answer

    Answers = list[tuple[Path, Answer]]
    Rows = list[tuple[str, list[tuple[str, float]]]]


@click.command()
@bundle_argument
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help="So many likeliest classes; default: one, and every class in JSON. Of parts: so many of"
    " the largest; default: all.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option(
    "--pages",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write a page to look at for each file into this folder.",
)
@click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Answer for the files that can be read, and name the others.",
)
@device_option
@backbone_option
@with_host
def predict(
    host: PluginHost,
    bundle: Path,
    paths: tuple[Path, ...],
    form: str | None,
    top: int | None,
    batch_size: int,
    pages: Path | None,
    skip_unreadable: bool,
    device: str | None,
    backbone: str | None,
) -> None:
    """Tell the class of files, or the parts that clouds have: onlay predict RUN PATH...

    For parts the answer is the share of points in each; JSON has the part of every point.

    RUN is a bundle or the folder of a run; a PATH that is a folder stands for the files in it.
    A file that cannot be read is named, and nothing is printed; or only that file is left out, with
    --skip-unreadable.
    """
    from onlay.bundle import load
    from onlay.model.predict import found_in
    from onlay.model.predict import predict as answers_of

    model = load(bundle, backbone=backbone, host=host, device=device_or_default(device))
    found = found_in(paths, host.find("modality", model.built.modality))
    skipped: list[Unreadable] | None = [] if skip_unreadable else None
    given = answers_of(model, found.files, host, batch_size=batch_size, unreadable=skipped)
    answers = list(given)
    for note in found.notes:
        click.echo(note, err=True)
    _say_skipped(skipped or [], len(found.files))
    if form == "json":
        click.echo(json.dumps([_record(*answer, top) for answer in answers], indent=2))
    elif form == "csv":
        _print_csv(answers, top)
    else:
        _print_table(answers, top)
    if pages is not None:
        from onlay.pages.observing import made_by, observed, view

        files, about = [path for path, _ in answers], made_by("predict", bundle)
        for number, observation in enumerate(observed(model, files, host, about), 1):
            view(model, [observation], pages / f"{number:04d}-{observation.source.stem}.html", host)
        click.echo(f"{len(answers)} pages in {pages}", err=True)


def _say_skipped(skipped: Sequence[Unreadable], count: int) -> None:
    for path, error in skipped:
        named = str(error) if str(path) in str(error) else f"`{path}`: {error}"
        click.echo(f"skipped: {named}", err=True)
    if len(skipped) == count:
        raise DataError(f"none of the {count} files can be read: {skipped[0][1]}")
    if skipped:
        click.echo(f"{len(skipped)} of {count} files were skipped", err=True)


def _ranked(answer: Answer, top: int | None) -> list[tuple[str, float]]:
    return list(islice(answer.ranked.items(), top))


def _record(path: Path, answer: Answer, top: int | None) -> dict[str, Any]:
    from onlay.task import PartsPrediction

    if own := getattr(answer, "record", None):
        return {"path": str(path), **own(top)}
    ranked = dict(_ranked(answer, top))
    if isinstance(answer, PartsPrediction):
        points = {"parts": answer.parts, "points": answer.points}
        return {"path": str(path), "shares": ranked, **points}
    likeliest = {"class": answer.label, "probability": answer.probability}
    return {"path": str(path), **likeliest, "probabilities": ranked}


def _shown(answers: Answers, top: int | None) -> tuple[tuple[str, str], Rows]:
    """The words for a column pair, and each file with what is said of it."""
    from onlay.task import PartsPrediction

    every = isinstance(answers[0][1], PartsPrediction)
    count = top or (None if every else 1)
    return answers[0][1].words, [(str(path), _ranked(answer, count)) for path, answer in answers]


def _own_rows(answers: Answers, form: str, top: int | None) -> list[dict[str, Any]]:
    """A row for each answer that says itself how it is shown; else nothing."""
    asked = [(path, getattr(answer, form, None)) for path, answer in answers]
    return [{"path": str(path), **own(top)} for path, own in asked if own is not None]


def _print_csv(answers: Answers, top: int | None) -> None:
    if own := _own_rows(answers, "row", top):
        writer = csv.DictWriter(sys.stdout, list(own[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(own)
        return
    (what, number), rows = _shown(answers, top)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    most = max(len(ranked) for _, ranked in rows)
    more = [f"{word}_{i}" for i in range(2, most + 1) for word in (what, number)]
    writer.writerow(["path", what, number, *more])
    for path, ranked in rows:
        cells = [cell for label, p in ranked for cell in (label, f"{p:.6f}")]
        writer.writerow([path, *cells, *[""] * (2 * (most - len(ranked)))])


def _print_table(answers: Answers, top: int | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    if own := _own_rows(answers, "cells", top):
        columns = list(dict.fromkeys(name for row in own for name in row if name != "path"))
        found = Table(Column("file", overflow="fold"), *map(escape, columns))
        for row in own:
            found.add_row(*(escape(row.get(name, "")) for name in ("path", *columns)))
        Console().print(found)
        return
    (what, number), rows = _shown(answers, top)
    more = ["then"] if max(len(ranked) for _, ranked in rows) > 1 else []
    table = Table(Column("file", overflow="fold"), what, number, *more)
    for path, ((label, first), *rest) in rows:
        then = [", ".join(f"{escape(name)} {100 * p:.1f} %" for name, p in rest)] if more else []
        table.add_row(escape(path), escape(label), f"{100 * first:.1f} %", *then)
    Console().print(table)
