"""What several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onlay.errors import DataError
from onlay.host import PluginHost

if TYPE_CHECKING:
    from onlay.model.predict import Unreadable


def with_host(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--plugin FILE`, and the plugin host as its first argument."""

    @click.option(
        "--plugin",
        type=click.Path(path_type=Path, dir_okay=False),
        multiple=True,
        help="Load a plugin from a file; may be repeated.",
    )
    @click.pass_context
    @wraps(command)
    def run(ctx: click.Context, *args: Any, plugin: tuple[Path, ...], **options: Any) -> Any:
        if plugin:
            of_group = ctx.find_root().params.get("plugin", ())
            ctx.obj = PluginHost.discover(files=list(dict.fromkeys([*of_group, *plugin])))
        return command(ctx.obj, *args, **options)

    return run


def bundle_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The bundle or run that a command works on, as `bundle`."""
    return click.argument("bundle", metavar="RUN", type=click.Path(path_type=Path))(command)


def backbone_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--backbone`, for bundles whose backbone lies elsewhere than they say."""
    return click.option(
        "--backbone", help="Another way to build the backbone than the bundle's own."
    )(command)


def device_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--device`, as torch names devices."""
    return click.option("--device", help="Where to compute: `cpu`, `cuda`; default: a GPU if any.")(
        command
    )


def device_or_default(device: str | None) -> str:
    """The device that was asked for, else a GPU where there is one; a `ConfigError` names a bad
    one."""
    import torch

    from onlay.machine.devices import usable

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return usable(device)


def say_skipped(skipped: Sequence[Unreadable], count: int) -> None:
    """Name the files that were left out of `count`; a `DataError` where those are all."""
    for path, error in skipped:
        named = str(error) if str(path) in str(error) else f"`{path}`: {error}"
        click.echo(f"skipped: {named}", err=True)
    if len(skipped) == count:
        raise DataError(f"none of the {count} files can be read: {skipped[0][1]}")
    if skipped:
        click.echo(f"{len(skipped)} of {count} files were skipped", err=True)
