"""`onlay demo`."""

from __future__ import annotations

from pathlib import Path

import click

from onlay.errors import UnknownName
from onlay.host import PluginHost
from onlay.host.firstparty import install
from onlay_train.among import alone
from onlay_train.commands.compare import plugin_files
from onlay_train.demo.grids import DEMOS, Demo


@click.command()
@click.argument("name", required=False, metavar=f"[{'|'.join(DEMOS)}]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("onlay-demo"),
    show_default=True,
    help="Where the comparisons go: cells, bundles, pictures and reports.",
)
@click.pass_context
def demo(ctx: click.Context, name: str | None, out: Path) -> None:
    """Adapt small frozen backbones to small data in a few ways, and compare them.

    Images where `onlay-image` is installed, point clouds where `onlay-pointcloud` is; or the one
    that is named: `dense` is of `onlay-dense`, a class for each pixel of pictures of cells. Each is
    a grid as `onlay compare` takes it, OUT/NAME/grid.yaml; the same command goes on after a stop.
    """
    alone("demo")
    host: PluginHost = ctx.obj
    there = _there(name, host)
    from rich.console import Console

    from onlay_train.demo.show import show

    console, well = Console(), []
    try:
        for key, each in there.items():
            well.append(show(each, out / key, host, console, plugin_files()))
    except KeyboardInterrupt:
        click.echo("interrupted; the same command goes on", err=True)
        ctx.exit(130)
    ctx.exit(0 if all(well) else 1)


def _there(name: str | None, host: PluginHost) -> dict[str, Demo]:
    """What was asked for and is installed.

    Raises:
        UnknownName: there is no such demo, or nothing of it is installed.
    """
    if name is not None and name not in DEMOS:
        raise UnknownName(f"there is no demo `{name}` (have: {', '.join(DEMOS)})")
    wanted = {key: d for key, d in DEMOS.items() if (key == name if name else not d.asked)}
    there = {key: d for key, d in wanted.items() if d.there(host)}
    if name and not there:
        wheel = DEMOS[name].wheel
        raise UnknownName(f"the demo `{name}` needs `{wheel}`: {install(wheel)}")
    if not there:
        raise UnknownName(
            f"the demo needs data of `onlay-image` or `onlay-pointcloud`: {install('onlay-image')}"
        )
    return there
