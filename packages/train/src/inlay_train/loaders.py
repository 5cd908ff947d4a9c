"""Loaders over the parts of a data set, each with a generator of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from inlay_train.sampler import PositionedSampler, ShardSampler
from inlay_train.seeding import SeededItems

KEPT_BYTES = 256 * 2**20
"""How much of an evaluated part stays in memory."""


def train_loader(
    dataset: Dataset[Any], sampler: PositionedSampler, *, workers: int, device: torch.device
) -> DataLoader[Any]:
    """Batches from the sampler's epoch and offset on."""
    seed = sampler.plan.seed
    return _loader(SeededItems(dataset, seed), sampler, seed, workers, device)


def eval_loader(
    dataset: Dataset[Any], sampler: ShardSampler, *, workers: int, device: torch.device
) -> DataLoader[Any]:
    """Batches of one process's share, in order."""
    return _loader(dataset if workers else Remembered(dataset), sampler, 0, workers, device)


class Remembered(Dataset[Any]):
    """Items that do not change are prepared once, as far as `limit` bytes of inputs go."""

    def __init__(self, dataset: Dataset[Any], limit: int = KEPT_BYTES) -> None:
        self.dataset, self.left = dataset, limit
        self.items: dict[int, Any] = {}

    def __getitem__(self, index: int) -> Any:
        if index in self.items:
            return self.items[index]
        item = self.dataset[index]
        if isinstance(item[0], Tensor) and item[0].nbytes <= self.left:
            self.left -= item[0].nbytes
            self.items[index] = item
        return item


def _loader(
    dataset: Dataset[Any], sampler: Any, seed: int, workers: int, device: torch.device
) -> DataLoader[Any]:
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
        # a loader draws from the global generator otherwise, and dropout would depend on restarts
        generator=torch.Generator().manual_seed(seed),
    )
