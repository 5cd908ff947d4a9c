"""`inlay inspect`: what an adapter does to one file, as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from inlay.cli.options import backbone_option, bundle_argument, with_host
from inlay.host import PluginHost

if TYPE_CHECKING:
    from inlay.inspecting import Observation


@click.command()
@bundle_argument
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page; default: the file's name with `.html`, here.",
)
@backbone_option
@with_host
def inspect(
    host: PluginHost, bundle: Path, path: Path, out: Path | None, backbone: str | None
) -> None:
    """Look at what the adapter of a run does to a file: inlay inspect RUN FILE

    Writes one self-contained HTML page; a cloud can be turned, and coloured by group, by prediction
    and by what the adapter shows of itself.
    """
    from inlay.bundle import load
    from inlay.inspecting import observed, view

    model = load(bundle, backbone=backbone, host=host)
    out = out or Path(path.name).with_suffix(".html")
    for observation in observed(model, [path], host):
        view(model, observation, out, host)
        click.echo(f"{path}: {next(iter(observation.prediction.ranked))}")
        for line in _summary(observation):
            click.echo(f"  {line}")
        click.echo(f"page {out}")


def _summary(observation: Observation) -> list[str]:
    """The share of patches at which each signal is not zero, block by block."""
    patches = observation.features.patches.shape[1]
    shares: dict[str, list[str]] = {}
    for signal in observation.signals:
        share = (signal.values_T[-patches:] != 0).float().mean()
        shares.setdefault(signal.name, []).append(f"{100 * float(share):.0f}")
    return [f"{name}: not zero in {', '.join(s)} % of the patches" for name, s in shares.items()]
