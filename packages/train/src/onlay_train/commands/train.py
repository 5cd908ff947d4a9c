"""`onlay train`."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from onlay.cli.options import with_host
from onlay.cli.settings import TakesSettings
from onlay.config import load, resolve
from onlay.config.files import as_text
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.machine.processes import rank
from onlay_train.among import among_processes

if TYPE_CHECKING:
    from onlay.config.run import RunConfig


@click.command(cls=TakesSettings)
@click.argument("config", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would be trained, and train nothing.")
@click.option("--preset", help="A named recipe of the method, under the file's own values.")
@click.option(
    "--tracker",
    "trackers",
    metavar="NAME",
    multiple=True,
    help="Report to this tracker, and not to the run file's; may be given several times.",
)
@with_host
def train(
    host: PluginHost,
    config: tuple[str, ...],
    dry_run: bool,
    preset: str | None,
    trackers: tuple[str, ...],
) -> None:
    """Train an adapter: onlay train RUN.YAML KEY=VALUE...

    The file may be left out when overrides say everything: onlay train backbone=onlay_vit_64
    method=arc data.name=digits. Type the same command again to go on after a stop.
    """
    with among_processes():
        if trackers:
            config += (f"train.trackers={','.join(trackers)}",)
        run = configured(config, preset, host)
        if dry_run:
            from onlay_train.dry_run import describe

            found = describe(run, host)  # what would stop the training comes before all else
            if rank() == 0:
                click.echo(as_text(run.model_dump(mode="json")))
                click.echo(found)
            return
        _train(run, host)


def _train(run: RunConfig, host: PluginHost) -> None:
    from accelerate import PartialState
    from rich.console import Console

    from onlay_train.folder import RunFolder
    from onlay_train.report import print_report
    from onlay_train.run import train as train_run
    from onlay_train.signals import Stopped

    assert run.out is not None, "a resolved configuration names its folder"
    before = RunFolder(run.out).finished
    try:
        summary = train_run(run, host)
    except Stopped as stopped:
        if PartialState().is_main_process:
            again = shlex.join(["onlay", *sys.argv[1:]])
            click.echo(f"{stopped}; the checkpoint is written; to go on: {again}", err=True)
        PartialState().wait_for_everyone()  # a launcher ends all once one has ended
        sys.exit(stopped.exit_status)
    if PartialState().is_main_process:
        if before:
            click.echo(f"`{run.out}` is finished; nothing is left to train")
        print_report(summary, Console())


def configured(words: tuple[str, ...], preset: str | None, host: PluginHost) -> RunConfig:
    """The run of `[RUN.YAML] KEY=VALUE...`."""
    overrides = [word for word in words if "=" in word]
    files = [word for word in words if "=" not in word]
    if len(files) > 1:
        raise ConfigError(f"one run file is expected, and `{files[1]}` is a second one")
    if preset:
        overrides.insert(0, f"preset={preset}")
    if not words:
        raise ConfigError(
            "say what to train: `onlay train run.yaml`, or `onlay train KEY=VALUE...`"
        )
    return load(files[0], overrides, host=host) if files else resolve({}, overrides, host=host)
