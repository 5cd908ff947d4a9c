"""Which of a run's processes this is, and of how many, before the engine has started."""

from __future__ import annotations

import os
from collections.abc import Sequence

from onlay.errors import ConfigError

_RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""Where launchers say it; Accelerate reads the same ones."""
_WORLDS = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def rank() -> int:
    """The number of this process; 0 for the first one, and for one that is alone."""
    return _said(_RANKS, 0)


def world() -> int:
    """How many processes there are."""
    return _said(_WORLDS, 1)


def _said(names: Sequence[str], default: int) -> int:
    name = next((name for name in names if name in os.environ), "")
    if not name:
        return default
    try:
        return int(os.environ[name])
    except ValueError as error:
        raise ConfigError(
            f"the environment variable `{name}`, by which launchers count processes, holds no"
            f" number (`{os.environ[name]}`): unset it where there is no launcher"
        ) from error
