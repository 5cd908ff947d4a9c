"""The command line: a lazy group whose commands come from plugins, core's own among them."""

from __future__ import annotations

import errno
import io
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from onlay.errors import OnlayError
from onlay.host import PluginHost
from onlay.machine.disk import prevented
from onlay.machine.guard import shown
from onlay.machine.notes import plainly
from onlay.machine.processes import rank
from onlay.machine.stopping import Terminated, terminable


class Sentence(click.ClickException):
    """A user's mistake on the command line: one sentence on stderr, exit status 2."""

    exit_code = 2


class LazyGroup(click.Group):
    """Commands are listed from their descriptors and imported when they are called."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with terminable(), plainly():
            return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _in_words():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _in_words():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_host(ctx).commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return _host(ctx).load("command", cmd_name, "command")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the summaries, so that no command is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(c.name, shown(c.summary)) for c in _host(ctx).commands.values()])


def _speaks() -> bool:
    """Whether this is the first of a launcher's processes, or alone."""
    try:
        return rank() == 0
    except OnlayError:
        return True


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except OnlayError as error:
        raise Sentence(str(error)) from error
    except click.UsageError as error:
        if not _speaks():  # all processes of a launcher are given the same words
            raise click.exceptions.Exit(error.exit_code) from error
        raise
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(130) from None
    except Terminated as stopped:
        if _speaks():
            again = shlex.join(["onlay", *sys.argv[1:]])
            click.echo(f"{stopped}; to go on or to start again: {again}", err=True)
        raise click.exceptions.Exit(stopped.exit_status) from None
    except OSError as error:
        if error.errno == errno.EPIPE or not (reason := _prevented(error)):
            raise  # whoever read the output has gone, which click answers; or no matter of files
        if error.filename:
            raise Sentence(f"`{error.filename}` cannot be used: {reason}") from error
        sys.stdout = io.StringIO()  # python would flush the real one once more
        raise Sentence(f"the output cannot be written: {reason}") from error


def _prevented(error: OSError) -> str:
    """Why the output cannot be written, or a file that was named cannot be used; empty for files
    that no user named: those of Python and of installed packages."""
    named = str(error.filename or sys.prefix)
    pythons = any(Path(named).is_relative_to(folder) for folder in (sys.prefix, sys.base_prefix))
    return prevented(error, Path(sys.executable) if pythons else None)  # below which lies nothing


def _host(ctx: click.Context) -> PluginHost:
    """Plugins are discovered once, when the first command name is needed; commands get the host as
    `ctx.obj`."""
    root = ctx.find_root()
    if root.obj is None:
        root.obj = PluginHost.discover(files=root.params.get("plugin", ()))
    return root.obj


def _print_version(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"onlay {version('onlay')}")
        ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--plugin",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    is_eager=True,
    help="Load a plugin from a file, before it is packaged; may be repeated.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
def main(plugin: tuple[Path, ...]) -> None:
    """Adapt frozen vision backbones with small adapters."""
