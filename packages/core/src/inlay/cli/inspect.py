"""`inlay inspect`: what an adapter does to one file, as a page to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inlay.cli.options import backbone_option, bundle_argument, with_host
from inlay.host import PluginHost

if TYPE_CHECKING:
    from inlay.inspecting import Signal

NAMED = 3
"""Categories of a block that its line names; the others, if several, are summed."""


@click.command()
@bundle_argument
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
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

    Writes one self-contained HTML page with what the adapter shows of itself, block by block: which
    expert each patch or group chose, how strongly each token is changed. An image is tinted patch
    by patch; a cloud can be turned, and coloured by group and by prediction, too.
    """
    from inlay.bundle import load
    from inlay.inspecting import observed, view

    model = load(bundle, backbone=backbone, host=host)
    out = out or Path(path.name).with_suffix(".html")
    for observation in observed(model, [path], host):
        view(model, observation, out, host)
        click.echo(f"{path}: {next(iter(observation.prediction.ranked))}")
        for line in _summary(observation.signals):
            click.echo(f"  {line}")
        click.echo(f"page {out}")


def _summary(signals: Iterable[Signal]) -> Iterator[str]:
    """A line for each block of categories and for each kind of number."""
    from inlay.inspecting import titles

    kinds: dict[str, list[Signal]] = {}
    for signal in signals:
        kinds.setdefault(signal.name, []).append(signal)
    for name, same in kinds.items():
        if same[0].categories is None:
            yield f"{name}: not zero in {', '.join(map(_not_zero, same))} % of the patches"
        else:
            for title, signal in zip(titles(same), same, strict=True):
                yield f"{name}, {title}: {_shares(signal)}"


def _not_zero(signal: Signal) -> str:
    return f"{100 * float((signal.patches_NK != 0).float().mean()):.0f}"


def _shares(signal: Signal) -> str:
    """`5 (31 %), 2 (22 %), 7 (9 %), 11 others (38 %), 2 unused`."""
    usage = signal.usage()
    order = [i for i in usage.argsort(descending=True, stable=True).tolist() if usage[i] > 0]
    named = NAMED if len(order) > NAMED + 1 else len(order)
    found = [f"{i} ({_percent(float(usage[i]))})" for i in order[:named]]
    if others := order[named:]:
        found.append(f"{len(others)} others ({_percent(float(usage[others].sum()))})")
    if unused := len(usage) - len(order):
        found.append(f"{unused} unused")
    return ", ".join(found)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "< 1 %"
