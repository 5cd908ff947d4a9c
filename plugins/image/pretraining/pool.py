"""What the backbone is pretrained on; to draw a picture takes about 4 ms."""

from __future__ import annotations

import numpy as np
from drawing import SIDE
from procedural import render

VIEWS = 2


def scenes(seed: int, first: int, count: int) -> np.ndarray:
    """Two renderings of each (count, 2, 72, 72, 3) uint8."""
    drawn = np.empty((count, VIEWS, SIDE, SIDE, 3), np.uint8)
    for i in range(count):
        for view in range(VIEWS):
            drawn[i, view] = render(seed, first + i, view)
    return drawn
