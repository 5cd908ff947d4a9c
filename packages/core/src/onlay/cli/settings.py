"""Settings are words, `train.lr=1e-3`; who writes one as an option is told its word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from onlay.errors import ConfigError

if TYPE_CHECKING:
    from onlay.host import PluginHost


class TakesSettings(click.Command):
    """A command with `KEY=VALUE` words: `--lr=1e-3` is answered by `train.lr=1e-3`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name, value = _written(error.option_name, given)
            host: PluginHost | None = ctx.find_root().obj
            places = list(_places(name, host)) if host is not None else []
            if not places:
                raise
            words = " or ".join(f"`{place}={value}`" for place in places[:4])
            raise ConfigError(
                f"`{error.option_name}` is no option but a setting; write {words}"
            ) from error


def _written(option: str, args: list[str]) -> tuple[str, str]:
    """The setting's name, and its value as it stands behind `=` or in the next word."""
    at = next(i for i, word in enumerate(args) if word.partition("=")[0] == option)
    _, equals, value = args[at].partition("=")
    following = args[at + 1] if at + 1 < len(args) else "-"
    if not equals:
        value = "..." if following.startswith("-") or "=" in following else following
    return option.lstrip("-").replace("-", "_"), value


def _places(name: str, host: PluginHost) -> Iterator[str]:
    """Where a run file has a field of that name: at the top, in `train`, in a block."""
    from onlay.config.run import BLOCKS, RunConfig, TrainConfig

    block, _, field = name.rpartition(".")
    if not block and name in RunConfig.model_fields:
        yield name
    kinds = {key: one.configs(host).values() for key, one in BLOCKS.items()}
    for key, classes in {"train": [TrainConfig], **kinds}.items():
        if block in ("", key) and any(field in each.model_fields for each in classes):
            yield f"{key}.{field}"
