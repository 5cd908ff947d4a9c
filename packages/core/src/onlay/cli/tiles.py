"""Tiles, as they are asked for on the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from onlay.errors import ConfigError


class TileSize(click.ParamType):
    """Height and width: `512`, or `384x512`."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        found = re.fullmatch(r"([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", str(value))
        if found is None:
            self.fail(f"{value!r} is no size: give pixels, 512 or 384x512", param, ctx)
        return int(found[1]), int(found[2] or found[1])


def refuse_alone(
    tile: tuple[int, int] | None, overlap: int | None, pages: Path | None = None
) -> None:
    """Raise a `ConfigError` for options that have no meaning with the others."""
    if tile is None and overlap is not None:
        raise ConfigError("`--overlap` is that of tiles: give their size, too, as `--tile`")
    if tile is not None and pages is not None:
        raise ConfigError(
            "a page shows what the network sees of a whole input at once: give `--pages` or"
            " `--tile`, not both"
        )
