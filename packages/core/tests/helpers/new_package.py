"""`onlay new` in process."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner, Result

from onlay.cli import main


def new(*args: Any) -> Result:
    return CliRunner().invoke(main, ["new", *map(str, args)], prog_name="onlay")
