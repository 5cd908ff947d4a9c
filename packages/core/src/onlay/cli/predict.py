"""`onlay predict`: what a run's bundle answers about files."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onlay.cli.options import (
    backbone_option,
    bundle_argument,
    device_option,
    device_or_default,
    say_skipped,
    with_host,
)
from onlay.cli.tiles import TileSize, refuse_alone
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.model.printing import print_csv, print_json, print_table

if TYPE_CHECKING:
    from onlay.model.predict import Unreadable


@click.command()
@bundle_argument
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write each answer into this folder: its own files, such as masks, or its record as"
    " JSON. Older files of the same names are replaced.",
)
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
@click.option(
    "--tile",
    type=TileSize(),
    help="Answer for every input in full and in its own size, in tiles of so many pixels, such as"
    " 512 or 384x512 (height x width), where a task answers pixel by pixel.",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    help="Pixels that neighbouring tiles share and over which they are blended; default: a quarter"
    " of the tile.",
)
@device_option
@backbone_option
@with_host
def predict(
    host: PluginHost,
    bundle: Path,
    paths: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    out: Path | None,
    top: int | None,
    batch_size: int,
    pages: Path | None,
    skip_unreadable: bool,
    tile: tuple[int, int] | None,
    overlap: int | None,
    device: str | None,
    backbone: str | None,
) -> None:
    """Tell the class of files, the parts that clouds have, or whatever else the task of a run
    answers: onlay predict RUN PATH...

    For parts the answer is the share of points in each; JSON has the part of every point.

    RUN is a bundle or the folder of a run; a PATH that is a folder stands for the files in it.
    A file that cannot be read is named, and nothing is printed or written; or only that file is
    left out, with --skip-unreadable.
    """
    refuse_alone(tile, overlap, pages)
    if as_json and as_csv:
        raise ConfigError("the answers are printed in one form: give `--json` or `--csv`, not both")
    from onlay.model.answers import Answers
    from onlay.model.loading import load
    from onlay.model.outputs import outputs_in
    from onlay.model.predict import found_in
    from onlay.model.predict import predict as answers_of
    from onlay.model.tiled import predict_in_tiles

    model = load(bundle, backbone=backbone, host=host, device=device_or_default(device))
    found = found_in(paths, host.find("modality", model.built.modality))
    skipped: list[Unreadable] | None = [] if skip_unreadable else None
    if tile is not None:
        overlap = min(tile) // 4 if overlap is None else overlap
        answers_of = partial(predict_in_tiles, size=tile, overlap=overlap)
    given = answers_of(model, found.files, host, batch_size=batch_size, unreadable=skipped)
    answers, rows = Answers.of(model), []
    say = answers.record if as_json else answers.row if as_csv else answers.cells
    with outputs_in(out, found.files, answers) if out else nullcontext() as outputs:
        for path, answer in given:
            rows.append((str(path), say(answer, top)))
            if outputs:
                outputs.add(path, answer)
    for note in found.notes:
        click.echo(note, err=True)
    say_skipped(skipped or [], len(found.files))
    (print_json if as_json else print_csv if as_csv else print_table)(rows)
    if outputs:
        click.echo(str(outputs), err=True)
    if pages is not None:
        from onlay.pages.observing import made_by, observed, view

        files, about = [Path(path) for path, _ in rows], made_by("predict", bundle)
        for number, observation in enumerate(observed(model, files, host, about), 1):
            view(model, [observation], pages / f"{number:04d}-{observation.source.stem}.html", host)
        click.echo(f"{len(rows)} pages in {pages}", err=True)
