"""A folder of rendered shards, made once: to draw a picture takes about 4 ms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from drawing import SIDE
from procedural import render

VIEWS = 2
SHARD = 500
"""Scenes in one file."""


def fill(folder: Path, *, scenes: int, seed: int, workers: int) -> Iterator[Path]:
    """Render the shards that are missing; yields every shard's path once it is on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"seed{seed}-{i:05d}.npy" for i in range(-(-scenes // SHARD))]
    missing = [(path, seed, i * SHARD) for i, path in enumerate(paths) if not path.exists()]
    yield from (path for path in paths if path.exists())
    with get_context("spawn").Pool(workers) as processes:
        yield from processes.imap(_render_shard, missing)


def load(paths: list[Path]) -> np.ndarray:
    """All shards as one array (scenes, 2, 72, 72, 3) uint8."""
    return np.concatenate([np.load(path) for path in paths])


def _render_shard(job: tuple[Path, int, int]) -> Path:
    path, seed, first = job
    shard = np.empty((SHARD, VIEWS, SIDE, SIDE, 3), np.uint8)
    for i in range(SHARD):
        for view in range(VIEWS):
            shard[i, view] = render(seed, first + i, view)
    partial = path.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, shard)
    partial.replace(path)
    return path
