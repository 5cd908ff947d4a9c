"""`inlay eval`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from inlay.cli.options import with_host
from inlay.host import PluginHost
from inlay_train.commands.train import silent_elsewhere


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Part of the data.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_host
def evaluate(
    host: PluginHost,
    run: Path,
    overrides: tuple[str, ...],
    split: str,
    as_json: bool,
) -> None:
    """Evaluate the bundle of a finished run: inlay eval RUN [KEY=VALUE...]

    Overrides change the run's configuration, its data for example: data.path=other/photographs.
    """
    with silent_elsewhere():
        from inlay_train.evaluate_run import evaluate_run

        metrics, count = evaluate_run(run, host, split=split, overrides=overrides)
    if as_json:
        click.echo(json.dumps({"run": str(run), "split": split, "samples": count, **metrics}))
        return
    click.echo(f"{run}: {split} part, {count:,} samples")
    for name, value in metrics.items():
        shown = f"{value:.4f}" if name == "loss" else f"{100 * value:.2f} %"
        click.echo(f"  {name:<12} {shown:>10}")
