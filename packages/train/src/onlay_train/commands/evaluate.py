"""`onlay eval`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onlay.cli.options import with_host
from onlay.cli.settings import TakesSettings
from onlay.cli.tiles import TileSize, refuse_alone
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.machine.processes import rank
from onlay.reports import measure_named
from onlay_train.among import among_processes

if TYPE_CHECKING:
    from onlay_train.evaluate_run import Judgement


@click.command(cls=TakesSettings)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    help="Part of the data; default: the test part of the run's own data, all of other data.",
)
@click.option(
    "--votes",
    type=click.IntRange(min=2),
    help="Judge the mean of the outputs on so many changed views of each input.",
)
@click.option(
    "--knn",
    type=click.IntRange(min=1),
    help="Judge the features alone: the vote of so many nearest neighbours among those of the"
    " training part.",
)
@click.option(
    "--own-size",
    is_flag=True,
    help="Judge maps and objects on the inputs' own pixels, not on those of the model.",
)
@click.option(
    "--tile",
    type=TileSize(),
    help="Likewise, each input in full and in tiles of so many pixels, as `onlay predict --tile`"
    " has them.",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    help="Pixels that neighbouring tiles share; default: a quarter of the tile.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="Also write a page with mistakes, and tables and pictures of what was judged, into this"
    " folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_host
def evaluate(
    host: PluginHost,
    run: Path,
    overrides: tuple[str, ...],
    split: str | None,
    votes: int | None,
    knn: int | None,
    own_size: bool,
    tile: tuple[int, int] | None,
    overlap: int | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Evaluate the bundle of a finished run: onlay eval RUN [KEY=VALUE...]

    Overrides change the run's configuration, its data for example: of data.path=other/photographs
    all is judged, whatever its layout, for the run has seen none of it. Metrics that were voted on
    have names of their own, such as voted_top1, and stand alone; so has knn_top1, and so have those
    of inputs in their own size: own_size_miou, tiled_miou.
    """
    with among_processes():
        _refuse_both(votes, knn, split)
        refuse_alone(tile, overlap)
        if (votes or knn) and (own_size or tile):
            asked, other = "--votes" if votes else "--knn", "--tile" if tile else "--own-size"
            raise ConfigError(f"`{asked}` looks at inputs in the model's size: leave out `{other}`")
        if knn and report is not None:
            raise ConfigError(
                "`--knn` has no answers of the task to report on: leave out `--report`"
            )
        from onlay_train.evaluate_run import evaluate_run
        from onlay_train.in_full import OwnSize

        found = evaluate_run(
            run,
            host,
            split=split,
            overrides=overrides,
            votes=votes or 0,
            knn=knn or 0,
            own_size=OwnSize(tile, overlap) if own_size or tile else None,
            report=report,
        )
    if rank():
        return
    if as_json:
        voted = {"votes": votes} if votes else {}
        click.echo(json.dumps({"run": str(run)} | voted | _record(found), allow_nan=False))
        return
    for note in found.notes:
        click.echo(note)
    counted = f"{found.samples:,} samples" + (f", {votes} votes" if votes else "")
    click.echo(f"{run}: {found.what}, {counted}")
    width = max(12, *map(len, found.metrics))
    for name, value in found.metrics.items():
        shown = measure_named(name, found.measures).text(value)
        click.echo(f"  {name:<{width}} {shown:>10}")
    if report is not None:
        click.echo(f"report {report}/index.html")


def _record(found: Judgement) -> dict[str, Any]:
    """A metric that is no number is None."""
    facts: dict[str, Any] = {"split": found.split, "samples": found.samples}
    facts["notes"] = list(found.notes)
    if found.measures:
        facts["measures"] = {name: asdict(measure) for name, measure in found.measures.items()}
    return facts | {n: v if math.isfinite(v) else None for n, v in found.metrics.items()}


def _refuse_both(votes: int | None, knn: int | None, split: str | None) -> None:
    if votes and knn:
        raise ConfigError("`--knn` judges the features, `--votes` the outputs: ask for one of them")
    if knn and split == "train":
        raise ConfigError("`--knn` has the training part as its memory: judge another part")
