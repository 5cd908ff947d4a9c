"""Which of a run's processes this is, before the engine has started."""

from __future__ import annotations

import os

_RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""Where launchers say it; Accelerate reads the same ones."""


def rank() -> int:
    """The number of this process; 0 for the first one, and for one that is alone."""
    return next((int(os.environ[name]) for name in _RANKS if name in os.environ), 0)
