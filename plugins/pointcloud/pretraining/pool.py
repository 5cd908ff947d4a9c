"""A folder of shards of shapes, made once: to make a shape takes about 2 ms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from procedural import POINTS, shape

SHARD = 500
"""Shapes in one file."""


def fill(folder: Path, *, shapes: int, seed: int, workers: int) -> Iterator[Path]:
    """Make the shards that are missing; yields every shard's path once it is on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"seed{seed}-{i:05d}.npy" for i in range(-(-shapes // SHARD))]
    missing = [(path, seed, i * SHARD) for i, path in enumerate(paths) if not path.exists()]
    yield from (path for path in paths if path.exists())
    with get_context("spawn").Pool(workers) as processes:
        yield from processes.imap(make_shard, missing)


def load(paths: list[Path]) -> np.ndarray:
    """All shards as one array (shapes, 2048, 3) float16."""
    return np.concatenate([np.load(path) for path in paths])


def make_shard(job: tuple[Path, int, int]) -> Path:
    path, seed, first = job
    shard = np.empty((SHARD, POINTS, 3), np.float16)
    for i in range(SHARD):
        shard[i] = shape(seed, first + i)
    partial = path.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, shard)
    partial.replace(path)
    return path
