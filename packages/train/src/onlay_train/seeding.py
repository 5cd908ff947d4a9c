"""Generators of random numbers: one seed per sample, and their states for a checkpoint."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from onlay.machine.chance import generators_kept, seed_host
from onlay_train.cache.items import KeptItems
from onlay_train.sampler import Key


def seed_all(*entropy: int) -> None:
    """Seed python, numpy and torch (every device) from the same numbers."""
    first, second = (int(word) for word in np.random.SeedSequence(entropy).generate_state(2))
    random.seed(first)
    np.random.seed(first)
    torch.manual_seed(first << 32 | second)


def generator_states() -> dict[str, Any]:
    """The states of all generators as tensors and numbers, which load without unpickling code."""
    version, words, gauss = random.getstate()
    legacy: Any = np.random.get_state(legacy=True)
    name, keys, position, has_gauss, cached = legacy
    return {
        "python": [version, torch.tensor(words), gauss],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore_generators(states: dict[str, Any]) -> None:
    """Put all generators back to where `generator_states` found them."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


class SeededItems(Dataset[Any]):
    """A data set whose augmentation depends on (seed, epoch, index) alone; of a sample that comes
    again in an epoch, on the time, too.

    So it is the same with any number of loader processes, however far they run ahead, and after a
    resume.
    """

    def __init__(self, dataset: Dataset[Any], seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __getitem__(self, index: Key) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, keys: Sequence[Key]) -> list[Any]:
        with generators_kept():
            return [self._item(*key) for key in keys]

    def _item(self, epoch: int, index: int, *time: int) -> Any:
        seed_host(self.seed, epoch, index, *time)
        if isinstance(self.dataset, KeptItems):
            return self.dataset.seen(epoch, index, *time)
        return self.dataset[index]


class OneEpoch(Dataset[Any]):
    """The items of one epoch by their index, to be judged: augmented, and always the same. Of items
    that come `repeats` times, one after the other, each once."""

    def __init__(self, dataset: Dataset[Any], seed: int, epoch: int, repeats: int = 1) -> None:
        self.items, self.epoch = SeededItems(dataset, seed), epoch
        self.count = len(dataset) // repeats  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.items[self.epoch, index]
