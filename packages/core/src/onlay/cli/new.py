"""`onlay new`: a complete package to begin a plugin with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import click

from onlay.cli.check import KINDS as CHECKED
from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.scaffold import KINDS, Names, refuse_taken, write

_SHOWN = ("modality", "exporter")
"""What has no settings to explain."""


@click.command()
@click.argument("kind")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default=True,
    help="The folder in which the package's own is made.",
)
@click.pass_obj
def new(host: PluginHost, kind: str, name: str, into: Path) -> None:
    """Write a package to begin a plugin with: onlay new method my-method

    KIND is `method`, `backbone`, `task`, `dataset`, `modality`, `exporter`, `optimizer` or
    `decoder`. The package is complete: it can be installed, it does something small, and its tests
    pass as they are, the checks of `onlay plugins check` among them where its kind has any.
    `my-method`, `my_method` and `MyMethod` are the same NAME; the folder and the distribution are
    `onlay-my-method`, in a run file it is `my_method`.
    """
    if kind not in KINDS:
        raise _no_kind(kind)
    names = Names.of(name)
    refuse_taken(kind, names, host)
    folder = write(kind, names, into)
    click.echo(f"{folder}: the {KINDS[kind]} `{names.registered}` and its tests\n")
    for line in _next(kind, folder, names):
        click.echo(line)


def _no_kind(kind: str) -> ConfigError:
    near = get_close_matches(kind, KINDS, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    have = ", ".join(f"`{each}`" for each in KINDS)
    return ConfigError(f"there is no kind `{kind}` of plugin to write (have: {have}){hint}")


def _next(kind: str, folder: Path, names: Names) -> Iterator[str]:
    """The commands to type from here on."""
    here, source = shlex.quote(str(folder)), folder / "src"
    plugin = shlex.quote(str(source / names.package / "plugin.py"))
    told = f"plugins show {names.registered}" if kind in _SHOWN else f"explain {names.registered}"
    yield "next:"
    yield f"  uv pip install -e {shlex.quote(f'{folder}[test]')}"
    yield f"  pytest {here}"
    yield f"  onlay {told}"
    if kind in CHECKED:
        yield f"  onlay plugins check {names.registered}"
    yield "or, without installing it:"
    yield f"  PYTHONPATH={shlex.quote(str(source))} onlay --plugin {plugin} {told}"
