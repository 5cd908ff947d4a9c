"""Farthest point sampling.

Shapes: B batch, N points, C columns, G chosen points.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from onlay.errors import DataError

NEAR_ORIGIN = 1e-3
"""Squared distance from the origin up to which the kernel of `pointnet2_ops` passes over points."""


@torch.no_grad()
def farthest_point_sample(
    points_BN3: Tensor, count: int, *, skip_near_origin: bool = False
) -> Tensor:
    """Indices (B, G) int64 of points each of which is farthest from those chosen before it.

    Starts at index 0; of equally far points the first is taken. In float32, whatever the
    autocast, since the order decides which point is next.

    Args:
        points_BN3: clouds (B, N, 3).
        count: G, at most N.
        skip_near_origin: never choose points with |p|² <= 1e-3 (but the first one), as the CUDA
            kernel did with which the published weights were trained. When fewer than G others
            are left, points are repeated.

    Raises:
        DataError: fewer points than asked for; coordinates that are not finite (on a CPU, where
            that costs nothing to see).
    """
    if count > points_BN3.shape[1]:
        raise DataError(
            f"{count} centres were asked of clouds of {points_BN3.shape[1]} points;"
            " set fewer `groups` or take larger clouds"
        )
    points_BN3 = points_BN3.detach().float()
    kernel = None if torch.compiler.is_compiling() else _kernel()
    if kernel is None or points_BN3.device.type != "cpu":
        return fps_loop(points_BN3, count, skip_near_origin)
    if not points_BN3.isfinite().all():
        raise DataError("a cloud has coordinates that are NaN or infinite")
    chosen_BG = torch.zeros(points_BN3.shape[0], count, dtype=torch.int64)
    _in_threads(kernel, points_BN3.mT.contiguous(), chosen_BG, skip_near_origin)
    return chosen_BG


def fps_loop(points_BN3: Tensor, count: int, skip_near_origin: bool) -> Tensor:
    """The same in torch alone: one vectorised step for each centre."""
    x, y, z = points_BN3.unbind(-1)
    rows = torch.arange(points_BN3.shape[0], device=points_BN3.device)
    last = torch.zeros_like(rows)
    nearest_BN = torch.full_like(x, torch.inf)
    passed_BN = x * x + y * y + z * z <= NEAR_ORIGIN
    chosen = [last]
    for _ in range(count - 1):
        cx, cy, cz = points_BN3[rows, last].unsqueeze(1).unbind(-1)
        squared_BN = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2
        nearest_BN = torch.minimum(nearest_BN, squared_BN)
        open_BN = nearest_BN.masked_fill(passed_BN, -1.0) if skip_near_origin else nearest_BN
        last = open_BN.argmax(1)
        chosen.append(last)
    return torch.stack(chosen, 1)


def take(points_BNC: Tensor, index: Tensor) -> Tensor:
    """Rows of each cloud: (B, N, C) at (B, ...) gives (B, ..., C)."""
    flat = index.flatten(1)
    rows = torch.gather(points_BNC, 1, flat.unsqueeze(-1).expand(-1, -1, points_BNC.shape[-1]))
    return rows.view(*index.shape, points_BNC.shape[-1])


def _in_threads(kernel: Any, points_B3N: Tensor, chosen_BG: Tensor, skip: bool) -> None:
    """Fill `chosen_BG`, as many clouds at once as torch has threads."""
    threads = min(torch.get_num_threads(), points_B3N.shape[0])
    jobs = zip(points_B3N.chunk(threads), chosen_BG.chunk(threads), strict=True)
    if threads == 1:
        kernel(points_B3N.numpy(), chosen_BG.numpy(), skip)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda job: kernel(job[0].numpy(), job[1].numpy(), skip), jobs))


def _kernel() -> Any:
    """The compiled loop, or `None` where numba does not run."""
    try:
        from onlay_pointcloud.ops.kernel import farthest
    except ImportError:
        return None
    return farthest
