"""The inner loop of farthest point sampling, compiled by numba when it is first used.

Sums are made in the order of the torch loop and no products are fused into them, so that both
choose the same points. The two flags only promise that there are no NaNs and that the sign of a
zero does not matter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_NEAR_ORIGIN = np.float32(1e-3)


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _largest(values_N):
    """The largest value, by four comparisons that do not wait for each other."""
    a = b = c = d = values_N[0]
    for n in range(0, len(values_N) - 3, 4):
        a, b = max(a, values_N[n]), max(b, values_N[n + 1])
        c, d = max(c, values_N[n + 2]), max(d, values_N[n + 3])
    for n in range(len(values_N) - len(values_N) % 4, len(values_N)):
        a = max(a, values_N[n])
    return max(max(a, b), max(c, d))


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def farthest(points_B3N, chosen_BG, skip_near_origin):
    """Fill `chosen_BG` (B, G), zeros before, with indices of points (B, 3, N) float32."""
    size = points_B3N.shape[2]
    nearest_N = np.empty(size, np.float32)
    for b in range(points_B3N.shape[0]):
        x, y, z = points_B3N[b, 0], points_B3N[b, 1], points_B3N[b, 2]
        nearest_N[:] = np.inf
        if skip_near_origin:
            for n in range(size):
                if x[n] * x[n] + y[n] * y[n] + z[n] * z[n] <= _NEAR_ORIGIN:
                    nearest_N[n] = -1.0
        last = 0
        for g in range(1, chosen_BG.shape[1]):
            cx, cy, cz = x[last], y[last], z[last]
            for n in range(size):
                dx, dy, dz = x[n] - cx, y[n] - cy, z[n] - cz
                nearest_N[n] = min(nearest_N[n], dx * dx + dy * dy + dz * dz)
            most, last = _largest(nearest_N), 0
            while nearest_N[last] != most:
                last += 1
            chosen_BG[b, g] = last
