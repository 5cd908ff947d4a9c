"""Settings of the executors that `onlay-train` brings."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from onlay.settings import Config


class LocalConfig(Config):
    """Processes of this machine, one for each cell, so many at a time."""

    name: Literal["local"] = "local"

    jobs: PositiveInt = 1
    """Cells that are trained at a time; each has its share of the cores."""
    threads: PositiveInt | None = None
    """Threads of a cell; null: cores / jobs. Another number gives other bits."""
