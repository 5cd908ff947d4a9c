"""ARC in training: a rewrite in front of a frozen map, or folded into the map at each step.

    python benchmarks/folding_in_training.py   # about half a minute; --json for the figures

One site without dropout, forward and backward: `frozen` is the map alone, y = x W^T + c; `torch`
the rewrite as torch differentiates it; `own` ARC's, with a backward pass of its own; `folded`
computes W' = (I + U s U^T) W and goes back through g W; `folded, whole` goes back through g W',
and forms the gradients of U and s from (x U)^T (g W^T U) and the like, never that of W'. CPU
milliseconds, medians; MiB of live tensors above what is there before. Ways take turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from live import LiveTensors
from torch import Tensor
from torch.nn import functional as F

from onlay_arc.recomposing import plain, recomposed

THREADS, RANK = 2, 50
SIZES = {
    "ViT-B/16, batch 8, qkv": (8 * 197, 768, 2304),
    "ViT-B/16, batch 8, fc1": (8 * 197, 768, 3072),
    "ViT-B/16, batch 32, fc1": (32 * 197, 768, 3072),
    "Point-MAE, batch 16, qkv": (16 * 129, 384, 1152),
    "Point-MAE, batch 16, fc1": (16 * 129, 384, 1536),
}
"""Rows, width and outputs of the map."""

Way = Callable[..., Tensor]


class Folded(torch.autograd.Function):
    """W' in the forward pass; the gradient comes back through W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, U: Tensor, s: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Any:
        ctx.save_for_backward(x, U, s, W)
        return F.linear(x, torch.addmm(W, W @ U * s, U.T), torch.addmv(c, W, b))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, U, s, W = ctx.saved_tensors
        through, h = g @ W, x @ U
        read = through @ U
        d_U = ((read * s).T @ x).addmm_((h * s).T, through).T
        d_s, d_b = (h * read).sum(0, keepdim=True), through.sum(0)
        return through.addmm_(read * s, U.T), d_U, d_s, d_b, None, None


class FoldedWhole(torch.autograd.Function):
    """W' in both directions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, U: Tensor, s: Tensor, b: Tensor, W: Tensor, c: Tensor) -> Any:
        read = W @ U
        folded = torch.addmm(W, read * s, U.T)
        ctx.save_for_backward(x, U, s, W, read, folded)
        return F.linear(x, folded, torch.addmv(c, W, b))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, U, s, W, WU, folded = ctx.saved_tensors
        h, read = x @ U, g @ WU
        d_U = ((read * s).T @ x + ((h * s).T @ g) @ W).T
        return g @ folded, d_U, (h * read).sum(0, keepdim=True), g.sum(0) @ W, None, None


WAYS: dict[str, Way] = {
    "frozen": lambda x, U, s, b, W, c: F.linear(x, W, c),
    "torch": lambda x, U, s, b, W, c: F.linear(plain(x, U, s, b), W, c),
    "own": lambda x, U, s, b, W, c: F.linear(recomposed(x, U, s, b), W, c),
    "folded": Folded.apply,
    "folded, whole": FoldedWhole.apply,
}


def inputs(rows: int, width: int, outputs: int) -> tuple[list[Tensor], Tensor]:
    """x, U, s, b, W, c, and the gradient of y."""
    g = torch.Generator().manual_seed(0)
    shapes = (rows, width), (width, RANK), (1, RANK), (width,), (outputs, width), (outputs,)
    made = [torch.randn(shape, generator=g) / width**0.5 for shape in shapes]
    for tensor in made[:4]:
        tensor.requires_grad_()
    return made, torch.randn(rows, outputs, generator=g)


def timed(way: Way, given: list[Tensor], g: Tensor) -> tuple[float, float]:
    start = time.process_time()
    y = way(*given)
    middle = time.process_time()
    y.backward(g)
    found = middle - start, time.process_time() - middle
    for tensor in given[:4]:
        tensor.grad = None
    return 1000 * found[0], 1000 * found[1]


def mebibytes(way: Way, given: list[Tensor], g: Tensor) -> float:
    with LiveTensors() as live:
        way(*given).backward(g)
    for tensor in given[:4]:
        tensor.grad = None
    return live.peak / 2**20


def away(way: Way, given: list[Tensor], g: Tensor) -> float:
    """The largest relative difference of output and gradients from torch's own."""
    found = []
    for one in (way, WAYS["torch"]):
        y = one(*given)
        found.append([y.detach(), *torch.autograd.grad(y, given[:4], g)])
    pairs = zip(*found, strict=True)
    return max(((a - b).norm() / b.norm()).item() for a, b in pairs)


def measure(size: tuple[int, int, int], rounds: int) -> dict[str, dict[str, float]]:
    given, g = inputs(*size)
    table = {
        name: {"away": 0.0 if name == "frozen" else away(way, given, g)}
        | {"mib": mebibytes(way, given, g)}
        for name, way in WAYS.items()
    }
    turns = [{name: timed(way, given, g) for name, way in WAYS.items()} for _ in range(rounds)]
    for name, row in table.items():
        row["forward"] = median(turn[name][0] for turn in turns)
        row["backward"] = median(turn[name][1] for turn in turns)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    tables = {name: measure(size, given.rounds) for name, size in SIZES.items()}
    if given.json:
        print(json.dumps(tables, indent=2))
        return
    print("| site | way | forward | backward | both | MiB | away |\n|---|---|---|---|---|---|---|")
    for size, table in tables.items():
        for name, row in table.items():
            both = row["forward"] + row["backward"]
            print(
                f"| {size} | {name} | {row['forward']:.1f} | {row['backward']:.1f} | {both:.1f}"
                f" | {row['mib']:.1f} | {row['away']:.0e} |"
            )


if __name__ == "__main__":
    main()
