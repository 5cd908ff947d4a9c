"""`inlay predict`: classes of files, with the bundle of a run."""

from __future__ import annotations

import csv
import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inlay.cli.options import (
    backbone_option,
    bundle_argument,
    device_option,
    device_or_default,
    with_host,
)
from inlay.host import PluginHost

if TYPE_CHECKING:
    from inlay.task import Prediction

    Answers = list[tuple[Path, Prediction]]


@click.command()
@bundle_argument
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    help="So many likeliest classes; default: one, and every class in JSON.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
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
    device: str | None,
    backbone: str | None,
) -> None:
    """Tell the class of files: inlay predict RUN PATH...

    RUN is a bundle or the folder of a run; a PATH that is a folder stands for the files in it.
    A file that cannot be read is named, and nothing is printed.
    """
    from inlay.bundle import load
    from inlay.predict import predict as answers_of

    model = load(bundle, backbone=backbone, host=host, device=device_or_default(device))
    answers = list(answers_of(model, paths, host, batch_size=batch_size))
    if form == "json":
        _print_json(answers, top or len(model.head.labels))
    elif form == "csv":
        _print_csv(answers, min(top or 1, len(model.head.labels)))
    else:
        _print_table(answers, top or 1)


def _ranked(prediction: Prediction, top: int) -> list[tuple[str, float]]:
    return list(islice(prediction.probabilities.items(), top))


def _print_json(answers: Answers, top: int) -> None:
    rows = [
        {
            "path": str(path),
            "class": prediction.label,
            "probability": prediction.probability,
            "probabilities": dict(_ranked(prediction, top)),
        }
        for path, prediction in answers
    ]
    click.echo(json.dumps(rows, indent=2))


def _print_csv(answers: Answers, top: int) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    more = [f"{word}_{i}" for i in range(2, top + 1) for word in ("class", "probability")]
    writer.writerow(["path", "class", "probability", *more])
    for path, prediction in answers:
        ranked = [(label, f"{p:.6f}") for label, p in _ranked(prediction, top)]
        writer.writerow([path, *(cell for pair in ranked for cell in pair)])


def _print_table(answers: Answers, top: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    more = ["then"] if top > 1 else []
    table = Table(Column("file", overflow="fold"), "class", "probability", *more)
    for path, prediction in answers:
        (label, likeliest), *rest = _ranked(prediction, top)
        then = [", ".join(f"{escape(name)} {100 * p:.1f} %" for name, p in rest)] if more else []
        table.add_row(escape(str(path)), escape(label), f"{100 * likeliest:.1f} %", *then)
    Console().print(table)
