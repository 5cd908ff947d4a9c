"""`onlay compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from onlay.cli.options import with_host
from onlay.errors import ConfigError
from onlay.host import PluginHost


class GridFirst(click.Group):
    """A group whose first word may be a grid file, which then is to be trained."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A word that is no command is a grid."""
        if args and args[0] not in self.commands:
            return "run", self.commands["run"], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--dry-run grid.yaml` is about a grid, too."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=GridFirst)
def compare() -> None:
    """Train every combination of a grid and say what holds: onlay compare GRID.YAML

    Cells are run folders below OUT/cells. The same command goes on after anything, inside a cell
    that was half trained, too; a grid may grow, and only what is new is trained. The report is
    OUT/report/index.html.
    """


@compare.command(hidden=True)
@click.argument("grid", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Default: compare/NAME-OF-THE-FILE.")
@click.option("--dry-run", is_flag=True, help="Show cells and hours, and train nothing.")
@click.option(
    "--only", multiple=True, metavar="AXIS=VALUE", help="These cells alone; may be repeated."
)
@click.option("--retry", type=click.Choice(["failed"]), help="Try failed cells once more.")
@click.option("--jobs", type=click.IntRange(min=1), help="Cells at a time; else the file's own.")
@click.option(
    "--accept-versions", is_flag=True, help="Cells of other versions of a plugin count, too."
)
@with_host
def run(
    host: PluginHost,
    grid: Path,
    out: Path | None,
    dry_run: bool,
    only: tuple[str, ...],
    retry: str | None,
    jobs: int | None,
    accept_versions: bool,
) -> None:
    """Train what is left of a grid: onlay compare GRID.YAML"""
    from onlay_train.grid.start import Start

    start = Start(
        host=host,
        file=grid,
        root=out or Path("compare") / grid.stem,
        only=dict(map(_pair, only)),
        retry=retry == "failed",
        jobs=jobs,
        accept_versions=accept_versions,
        plugins=_plugin_files(),
    )
    if dry_run:
        click.echo(start.described())
        return
    click.get_current_context().exit(start.run())


def _pair(text: str) -> tuple[str, str]:
    axis, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"`--only {text}`: write AXIS=VALUE, such as `--only method=arc`")
    return axis, value


def _plugin_files() -> Sequence[str]:
    """What `--plugin` named, in front of the command or behind it."""
    ctx = click.get_current_context()
    found = [*ctx.find_root().params.get("plugin", ()), *ctx.params.get("plugin", ())]
    return [str(Path(file).resolve()) for file in dict.fromkeys(found)]
