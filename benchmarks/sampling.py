"""Farthest point sampling of (32, 2048) to 128, and nearest neighbours: the kernel against torch.

    python benchmarks/sampling.py

`plain` is the loop that one writes first: distances to one centre at a time, broadcast over the
batch; `loop` is the fallback in `onlay_pointcloud.ops.sampling`, `kernel` what is used on a CPU.
All give the same indices. Two threads; the median of nine runs that take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from onlay_pointcloud.ops.neighbours import k_nearest
from onlay_pointcloud.ops.sampling import farthest_point_sample, fps_loop, take

BATCH, POINTS, GROUPS, NEIGHBOURS, ROUNDS = 32, 2048, 128, 32, 9


def plain(points_BN3: Tensor, count: int) -> Tensor:
    B, N, _ = points_BN3.shape
    chosen_BG = torch.zeros(B, count, dtype=torch.long)
    nearest_BN = torch.full((B, N), 1e10)
    last, rows = torch.zeros(B, dtype=torch.long), torch.arange(B)
    for i in range(count):
        chosen_BG[:, i] = last
        centre_B13 = points_BN3[rows, last].view(B, 1, 3)
        squared_BN = ((points_BN3 - centre_B13) ** 2).sum(-1)
        nearest_BN = torch.minimum(nearest_BN, squared_BN)
        last = nearest_BN.max(-1).indices
    return chosen_BG


def timed(function: Callable[[], Tensor]) -> tuple[float, Tensor]:
    start = time.perf_counter()
    found = function()
    return time.perf_counter() - start, found


def main() -> None:
    torch.set_num_threads(2)
    points = torch.rand(BATCH, POINTS, 3, generator=torch.Generator().manual_seed(0))
    ways: dict[str, Callable[[], Tensor]] = {
        "plain": lambda: plain(points, GROUPS),
        "loop": lambda: fps_loop(points, GROUPS, False),
        "kernel": lambda: farthest_point_sample(points, GROUPS),
    }
    first = {name: timed(way) for name, way in ways.items()}
    assert all(torch.equal(first["plain"][1], found) for _, found in first.values())
    rounds = [{name: timed(way)[0] for name, way in ways.items()} for _ in range(ROUNDS)]
    print(f"farthest points, ({BATCH}, {POINTS}) to {GROUPS}, the same indices:")
    for name in ways:
        seconds = median(r[name] for r in rounds)
        faster = median(r["plain"] / r[name] for r in rounds)
        print(f"  {name:<8}{1000 * seconds:9.1f} ms   {faster:6.1f} times as fast as plain")
    centres = take(points, first["kernel"][1])
    near = median(timed(lambda: k_nearest(points, centres, NEIGHBOURS))[0] for _ in range(ROUNDS))
    print(f"{NEIGHBOURS} nearest neighbours: {1000 * near:.1f} ms")


if __name__ == "__main__":
    main()
