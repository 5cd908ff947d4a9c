"""What the backbone is pretrained on; to make a shape takes about 2 ms."""

from __future__ import annotations

import numpy as np
from procedural import POINTS, shape


def shapes(families: tuple[str, ...], seed: int, first: int, count: int) -> np.ndarray:
    """(count, 2048, 3) float16, of these kinds (default: of all)."""
    made = np.empty((count, POINTS, 3), np.float16)
    for i in range(count):
        made[i] = shape(seed, first + i, families)
    return made
