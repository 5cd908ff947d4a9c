"""How a cell, or the place where cells are trained, ends otherwise than with an answer."""

from __future__ import annotations

import importlib
import signal
from typing import Any

from onlay.errors import RunError
from onlay.host.firstparty import install


class Killed(RunError):
    """A process ended without a word; says by which signal."""


class Refused(RunError):
    """The place itself takes no cell; none is begun any more, and those that run go on."""


def needed(module: str, extra: str) -> Any:
    """A library that an extra brings, imported.

    Raises:
        Refused: it is not installed; says how one installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        how = install(f"onlay-train[{extra}]")
        raise Refused(f"`{extra}` needs the package `{error.name}`: {how}") from error


def by_signal(code: int | None) -> str:
    """Why a process ended, by its exit code, which is below 0 where a signal ended it."""
    name = signal.Signals(-code).name if code and code < 0 else f"status {code}"
    if name == "SIGKILL":
        return "its process was killed (SIGKILL), as a system does that has no memory left"
    return f"its process ended without a word ({name})"
