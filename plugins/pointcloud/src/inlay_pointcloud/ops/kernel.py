"""The inner loop of farthest point sampling, compiled by numba when it is first used.

No fast-math: sums are made in the order of the torch loop, so both choose the same points.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_NEAR_ORIGIN = np.float32(1e-3)


@njit(nogil=True, cache=True)
def farthest(points_BN3, chosen_BG, skip_near_origin):
    """Fill `chosen_BG` (B, G), zeros before, with indices of points (B, N, 3) float32."""
    batch, size, _ = points_BN3.shape
    nearest_N = np.empty(size, np.float32)
    for b in range(batch):
        nearest_N[:] = np.inf
        if skip_near_origin:
            for n in range(size):
                x, y, z = points_BN3[b, n]
                if x * x + y * y + z * z <= _NEAR_ORIGIN:
                    nearest_N[n] = -1.0
        last = 0
        for g in range(1, chosen_BG.shape[1]):
            cx, cy, cz = points_BN3[b, last]
            best, farthest_yet = 0, np.float32(-1.0)
            for n in range(size):
                dx = points_BN3[b, n, 0] - cx
                dy = points_BN3[b, n, 1] - cy
                dz = points_BN3[b, n, 2] - cz
                squared = dx * dx + dy * dy + dz * dz
                near = min(nearest_N[n], squared)
                nearest_N[n] = near
                if near > farthest_yet:
                    best, farthest_yet = n, near
            last = best
            chosen_BG[b, g] = last
