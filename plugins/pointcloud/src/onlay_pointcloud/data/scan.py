"""What a file holds, and which of its points are none.

Shapes: N points, E further columns.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

NOT_FINITE = "NaN or infinite"
ORIGIN = "at (0, 0, 0)"
NOISE = "noise or withheld"


class Scan(NamedTuple):
    """Points (N, 3 + E) as a reader gives them."""

    points: np.ndarray
    noise: np.ndarray | None = None
    """(N,) bool: what the file itself calls noise or withheld."""
    empty: np.ndarray | None = None
    """(N,) bool: `no_echo` of the coordinates in the file, where the reader moved them."""
    origin: np.ndarray | None = None
    """(3,): what the reader took off the coordinates in the file, if anything."""


def measured(scan: Scan) -> tuple[np.ndarray, Counter[str]]:
    """Which points (N,) bool were measured, and how many others there are, by the reason.

    Depth cameras and scanners write a place without an echo as NaN, or as (0, 0, 0).
    """
    points, counts = scan.points, Counter[str]()
    noise = np.zeros(len(points), bool) if scan.noise is None else scan.noise
    finite = np.isfinite(points[:, :3]).all(1)
    origin = no_echo(points) if scan.empty is None else scan.empty
    counts[NOT_FINITE], counts[ORIGIN] = int((~finite).sum()), int(origin.sum())
    counts[NOISE] = int((noise & finite & ~origin).sum())
    return finite & ~origin & ~noise, +counts


def no_echo(points: np.ndarray) -> np.ndarray:
    """Which points (N,) lie at the origin; one may be real, several cannot all be."""
    origin = np.all(points[:, :3] == 0, axis=1)
    return origin if np.count_nonzero(origin) > 1 else np.zeros(len(points), bool)


def told(counts: Counter[str]) -> str:
    """How many points of which kind, for a message.

    >>> told(Counter({"noise or withheld": 2, "NaN or infinite": 1200}))
    '2 noise or withheld, 1,200 NaN or infinite'
    """
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
