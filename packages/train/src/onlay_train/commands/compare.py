"""`onlay compare`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onlay.cli.options import with_host
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay_train.among import alone

if TYPE_CHECKING:
    from onlay_train.grid.plan import Plan
    from onlay_train.grid.protocols import Asked


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


_any_version = click.option(
    "--accept-versions", is_flag=True, help="Cells of other versions of a plugin count, too."
)


@click.group(cls=GridFirst)
def compare() -> None:
    """Train every combination of a grid and say what holds: onlay compare GRID.YAML, or a
    benchmark's protocol by its name: onlay compare vtab-1k --method arc (--list shows them)

    Cells are run folders below OUT/cells. The same command goes on after anything, inside a cell
    that was half trained, too; a grid may grow, and only what is new is trained. The report is
    OUT/report/index.html.
    """


@compare.command(hidden=True)
@click.argument("grid", metavar="GRID.YAML|NAME", type=click.Path(path_type=Path), required=False)
@click.option("--list", "shown", is_flag=True, help="Show the protocols, and train nothing.")
@click.option(
    "--method", multiple=True, help="What is compared: a name or a block; may be repeated."
)
@click.option("--backbone", multiple=True, help="On what: a name or a block; may be repeated.")
@click.option("--seeds", help="How many, 3, or which, 0,4,7.")
@click.option(
    "--set", "words", multiple=True, metavar="FIELD=VALUE", help="For all cells; may be repeated."
)
@click.option("--trials", type=click.IntRange(min=1), help="Of a search for each method and data.")
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    help="Of a protocol: the folder below which its data sets lie; default: data.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: compare/NAME-OF-THE-FILE.")
@click.option("--dry-run", is_flag=True, help="Show cells and hours, and train nothing.")
@click.option(
    "--only", multiple=True, metavar="AXIS=VALUE", help="These cells alone; may be repeated."
)
@click.option("--retry", type=click.Choice(["failed"]), help="Try failed cells once more.")
@click.option("--jobs", type=click.IntRange(min=1), help="Cells at a time; else the file's own.")
@_any_version
@with_host
def run(
    host: PluginHost,
    grid: Path | None,
    shown: bool,
    method: tuple[str, ...],
    backbone: tuple[str, ...],
    seeds: str | None,
    words: tuple[str, ...],
    trials: int | None,
    data_root: Path | None,
    out: Path | None,
    dry_run: bool,
    only: tuple[str, ...],
    retry: str | None,
    jobs: int | None,
    accept_versions: bool,
) -> None:
    """Train what is left of a grid: onlay compare GRID.YAML"""
    from onlay_train.grid.protocols import Asked
    from onlay_train.grid.start import Start

    if shown:
        click.echo(_protocols(host))
        return
    alone("compare")
    if grid is None:
        raise click.UsageError("name a grid file, or a protocol (`onlay compare --list`)")
    root = out or Path("compare") / grid.stem
    asked = Asked(
        methods=method,
        backbones=backbone,
        seeds=seeds,
        words=words,
        data_root=data_root,
        trials=trials,
    )
    content, left_out = _content(grid, asked, root, host)
    start = Start(
        host=host,
        file=grid,
        root=root,
        content=content,
        left_out=left_out,
        only=_several(map(_pair, only)),
        retry=retry == "failed",
        jobs=jobs,
        accept_versions=accept_versions,
        plugins=plugin_files(),
    )
    if dry_run:
        click.echo(start.described())
        return
    click.get_current_context().exit(start.run())


def _content(
    grid: Path, asked: Asked, root: Path, host: PluginHost
) -> tuple[Mapping[str, Any] | None, Sequence[str]]:
    """What the grid file would hold, where it is more than what lies there."""
    from onlay.config.files import read
    from onlay_train.grid.protocols import Asked, is_name, of_protocol, with_words

    if is_name(grid):
        return of_protocol(str(grid), asked, root, host)
    if asked.data_root is not None:
        raise ConfigError("`--data-root` is for protocols; a grid file says where its data are")
    if asked == Asked():
        return None, ()
    return with_words(read(grid), asked, host, {}), ()


def _protocols(host: PluginHost) -> str:
    """A line for each, with the plugin that brings it."""
    width = max(map(len, host.protocols), default=0)
    lines = [
        f"{name:{width}}  {each.summary} ({host.owner('protocol', name).distribution})"
        for name, each in host.protocols.items()
    ]
    return "\n".join(lines) or "no installed plugin brings a protocol"


def _pair(text: str) -> tuple[str, str]:
    axis, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"`--only {text}`: write AXIS=VALUE, such as `--only method=arc`")
    return axis, value


def _several(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Axis -> all that was said of it."""
    found: dict[str, list[str]] = {}
    for axis, value in pairs:
        found.setdefault(axis, []).append(value)
    return found


def plugin_files() -> Sequence[str]:
    """What `--plugin` named, in front of the command or behind it."""
    ctx = click.get_current_context()
    found = [*ctx.find_root().params.get("plugin", ()), *ctx.params.get("plugin", ())]
    return [str(Path(file).resolve()) for file in dict.fromkeys(found)]


@compare.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_any_version
@with_host
def status(host: PluginHost, folder: Path, accept_versions: bool) -> None:
    """Where the cells of a comparison stand: onlay compare status OUT"""
    from onlay_train.grid.others import counted_of_others, strangers
    from onlay_train.grid.shown import outcome

    plan = _plan(folder, host, accept_versions)
    click.echo("\n".join([outcome(plan), *counted_of_others(plan), *strangers(plan)]))


@compare.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and write nothing.")
@_any_version
@with_host
def report(host: PluginHost, folder: Path, as_json: bool, accept_versions: bool) -> None:
    """Write the page and the tables of what is done: onlay compare report OUT"""
    from onlay_train.grid.report.files import as_json as written
    from onlay_train.grid.report.made_of import made_of
    from onlay_train.grid.report.writing import looked_at
    from onlay_train.grid.shown import reported

    plan = _plan(folder, host, accept_versions)
    click.echo(
        written(*looked_at(plan), made_of(plan)) if as_json else reported(plan, again=True),
        nl=not as_json,
    )


@compare.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("others", nargs=-1, required=True, type=click.Path(path_type=Path))
@with_host
def add(host: PluginHost, folder: Path, others: tuple[Path, ...]) -> None:
    """Copy the cells of other machines: onlay compare add OUT OTHER..."""
    from onlay_train.grid.others import add as added

    names = added(folder, others)
    told = f"{len(names)} cells were added to `{folder}`"
    if names and (folder / "grid.yaml").exists():
        plan = _plan(folder, host, accept_versions=False)
        ours = {cell.name for cell in plan.everything()}
        told += f", {sum(name in ours for name in names)} of them are of its grid"
    click.echo(told)


@compare.command()
@click.argument("folder", metavar="OUT|GRID.YAML", type=click.Path(path_type=Path, exists=True))
@_any_version
@with_host
def recommend(host: PluginHost, folder: Path, accept_versions: bool) -> None:
    """Which method for these data, how sure, at what cost: onlay compare recommend OUT"""
    from onlay_train.grid.report.writing import looked_at

    root = folder if folder.is_dir() else Path("compare") / folder.stem
    if root != folder:
        _check_same(folder, root)
    click.echo("\n".join(looked_at(_plan(root, host, accept_versions))[2]))


def _check_same(grid: Path, root: Path) -> None:
    """A folder is called as its grid file; another file may have that name, too."""
    from onlay.config.files import read

    there = root / "grid.yaml"
    if there.exists() and read(there) != read(grid):
        raise ConfigError(
            f"`{grid}` is not the grid of which `{root}` holds results: name the folder, or start"
            f" `onlay compare {grid}` first"
        )


def _plan(folder: Path, host: PluginHost, accept_versions: bool) -> Plan:
    """Of what lies in a folder."""
    from onlay_train.grid.facts import read_facts
    from onlay_train.grid.file import read_grid
    from onlay_train.grid.others import same_but_versions
    from onlay_train.grid.plan import make_plan

    if not (folder / "grid.yaml").exists():
        raise ConfigError(
            f"`{folder}` holds no comparison yet: `onlay compare` with a grid file trains one"
        )
    grid = read_grid(folder / "grid.yaml", host)
    accepted = same_but_versions(folder) if accept_versions else {}
    return make_plan(grid, host, folder, read_facts(folder / "facts.json"), accepted)
