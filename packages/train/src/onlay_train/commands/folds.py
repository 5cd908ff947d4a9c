"""`onlay folds`."""

from __future__ import annotations

import sys

import click

from onlay.cli.options import with_host
from onlay.cli.settings import TakesSettings
from onlay.host import PluginHost
from onlay_train.among import among_processes
from onlay_train.commands.train import configured


@click.command(cls=TakesSettings)
@click.argument("config", nargs=-1)
@click.option("--preset", help="A named recipe of the method, under the file's own values.")
@click.option(
    "--folds", "of", type=click.IntRange(min=2), help="How many; default: 5, or the data's own."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the dealing; default: 0.")
@with_host
def folds(
    host: PluginHost, config: tuple[str, ...], preset: str | None, of: int | None, seed: int
) -> None:
    """Train one run for each fold of the data: onlay folds RUN.YAML KEY=VALUE...

    The training part is dealt to folds, stratified; each run trains on all but one, which is its
    test part. The data's own test part is not looked at; data without parts are dealt as a whole.
    Data sets with folds of their own, such as the ten episodes of a few-shot benchmark, keep them.

    Runs are in OUT/fold-0 and so on; OUT/folds.json has every score, their mean and their sample
    standard deviation. Type the same command again to go on after a stop; finished folds are not
    trained again.
    """
    with among_processes():
        run = configured(config, preset, host)
        from accelerate import PartialState
        from rich.console import Console

        from onlay_train.folds import print_folds, train_folds
        from onlay_train.signals import Stopped

        assert run.out is not None, "a resolved configuration names its folder"
        try:
            found = train_folds(run, host, of=of, seed=seed)
        except Stopped as stopped:
            if PartialState().is_main_process:
                click.echo(f"{stopped}; the same command goes on", err=True)
            PartialState().wait_for_everyone()  # a launcher ends all once one has ended
            sys.exit(stopped.exit_status)
        if PartialState().is_main_process:
            print_folds(found, run.out, Console())
