"""Modules of plugins that the cells of a grid need, for the process that cells are forked from: it
imports them once, and not each cell anew."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from onlay.config.run import BLOCKS

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay.host import PluginHost

NAMES = "ONLAY_CELLS_IMPORT"
"""The variable in which they are handed on."""


def announce(runs: Iterable[RunConfig], host: PluginHost) -> None:
    """Name what builds their backbones, methods, data and tasks."""
    own = {(b.kind, getattr(run, key).name) for run in runs for key, b in BLOCKS.items()}
    paths = (_path(host.find(kind, name)) for kind, name in own)
    os.environ[NAMES] = " ".join(sorted({path.partition(":")[0] for path in paths}))


def import_announced() -> None:
    """Import what can be; what cannot is said by the cell that needs it."""
    for name in os.environ.get(NAMES, "").split():
        with suppress(Exception, SystemExit), redirect_stdout(None), redirect_stderr(None):
            import_module(name)


def _path(descriptor: object) -> str:
    return getattr(descriptor, "build", None) or getattr(descriptor, "attach", "")
