"""A folder of shards of what is drawn to pretrain on, made once, in processes, while training goes
on with those that are there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import torch
from torch import Tensor

SHARD = 500
"""Things in one file."""
Make = Callable[[int, int, int], np.ndarray]
"""Seed, number of the first thing, how many -> their array, the same every time."""
Job = tuple[Path, Make, int, int, int]


class Stock:
    """All things on one device; more of them from step to step until every shard is made."""

    def __init__(
        self, folder: Path, make: Make, *, count: int, seed: int, device: torch.device
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"seed{seed}-{i:05d}.npy" for i in range(-(-count // SHARD))]
        self.jobs: list[Job] = [
            (path, make, seed, i * SHARD, SHARD) for i, path in enumerate(paths)
        ]
        self.device, self.ready, self.failed = device, 0, None
        self.things = torch.empty(0)
        self.closed = False
        self.thread = Thread(target=self._fill, daemon=True)
        self.thread.start()

    def wait(self, things: int | None = None) -> None:
        """Until so many are there, or all."""
        while self.thread.is_alive() and (things is None or self.ready < things):
            self.thread.join(0.1)
        len(self)

    def __len__(self) -> int:
        if self.failed is not None:
            raise RuntimeError("a shard could not be made") from self.failed
        return self.ready

    def __getitem__(self, index: Any) -> Tensor:
        return self.things[index]

    def close(self) -> None:
        """Stop drawing; files are whole or not there."""
        self.closed = True
        self.thread.join()

    def _fill(self) -> None:
        try:
            for shard in made(self.jobs):
                if self.closed:
                    return
                self._take(torch.from_numpy(shard))
        except BaseException as error:
            self.failed = error

    def _take(self, shard: Tensor) -> None:
        if not self.ready:
            room = (len(self.jobs) * SHARD, *shard.shape[1:])
            self.things = torch.empty(room, dtype=shard.dtype, device=self.device)
        self.things[self.ready : self.ready + len(shard)] = shard.to(self.device)
        self.ready += len(shard)


def made(jobs: list[Job]) -> Iterator[np.ndarray]:
    """Every shard in turn; processes make those that are missing, ahead of the reader."""
    missing = [job for job in jobs if not job[0].exists()]
    if not missing:
        yield from (np.load(job[0]) for job in jobs)
        return
    began, waiting = time.monotonic(), {job[0] for job in missing}
    cores = os.cpu_count() or 1
    workers = cores - 1 if cores > 4 else cores  # one core is left to who feeds an accelerator
    with get_context("spawn").Pool(min(workers, len(missing))) as processes:
        done = processes.imap(make_shard, missing)
        for number, job in enumerate(jobs, 1):
            if job[0] in waiting:
                next(done)
            if number % 20 == 0:
                print(f"{number} shards, {time.monotonic() - began:.0f} s", flush=True)
            yield np.load(job[0])


def make_shard(job: Job) -> None:
    """A file that is whole or not there."""
    path, make, *numbers = job
    partial = path.with_suffix(f".{os.getpid()}.npy")
    np.save(partial, make(*numbers))
    partial.replace(path)
