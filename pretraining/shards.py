"""A folder of shards of what is drawn to pretrain on, made once, in processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np

SHARD = 500
"""Things in one file."""
Make = Callable[[int, int, int], np.ndarray]
"""Seed, number of the first thing, how many -> their array, the same every time."""


def filled(folder: Path, make: Make, *, count: int, seed: int) -> np.ndarray:
    """All things as one array; those shards are made that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"seed{seed}-{i:05d}.npy" for i in range(-(-count // SHARD))]
    missing = [
        (path, make, seed, i * SHARD, SHARD) for i, path in enumerate(paths) if not path.exists()
    ]
    began = time.monotonic()
    with get_context("spawn").Pool(os.cpu_count() or 1) as processes:
        for done, _ in enumerate(processes.imap(make_shard, missing), 1):
            if done % 20 == 0:
                print(f"{done} shards made, {time.monotonic() - began:.0f} s", flush=True)
    return np.concatenate([np.load(path) for path in paths])


def make_shard(job: tuple[Path, Make, int, int, int]) -> None:
    """A file that is whole or not there."""
    path, make, *numbers = job
    partial = path.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, make(*numbers))
    partial.replace(path)
