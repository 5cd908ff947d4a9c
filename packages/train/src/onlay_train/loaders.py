"""Loaders over the parts of a data set, each with a generator of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from onlay.batches import stacked
from onlay.data import is_stream
from onlay.errors import OnlayError
from onlay_train.sampler import PositionedSampler, ShardSampler
from onlay_train.seeding import SeededItems
from onlay_train.streamed import StreamBatches

Collate = Callable[[Sequence[Any]], Any]
"""Items `(input, target)` -> a batch `(inputs, targets)`."""


def collate_of(head: Any) -> Collate:
    """The task's own, where it brings one."""
    return getattr(head, "collate", stacked)


def size(part: Dataset[Any]) -> int:
    """Samples of a map-style data set; torch's `Dataset` does not promise a length."""
    return len(part)  # type: ignore[arg-type]


def train_loader(
    dataset: Dataset[Any],
    sampler: PositionedSampler,
    *,
    workers: int,
    device: torch.device,
    collate: Collate = stacked,
) -> DataLoader[Any]:
    """Batches from the sampler's epoch and offset on; of a stream those of one process at most."""
    seed = sampler.plan.seed
    if is_stream(dataset):
        batches = StreamBatches(dataset, sampler, collate)
        return _InWords(
            batches, batch_size=None, num_workers=min(workers, 1), **_common(seed, device)
        )
    return _loader(SeededItems(dataset, seed), sampler, seed, workers, device, collate)


def eval_loader(
    dataset: Dataset[Any],
    sampler: ShardSampler,
    *,
    workers: int,
    device: torch.device,
    collate: Collate = stacked,
) -> DataLoader[Any]:
    """Batches of one process's share, in order."""
    return _loader(dataset, sampler, 0, workers, device, collate)


class _InWords(DataLoader[Any]):
    """A user's mistake that a worker process met is the same one sentence here."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        try:
            yield from super().__iter__()
        except OnlayError as error:
            _, told, sentence = str(error).rpartition(f".{type(error).__name__}: ")
            if not told:
                raise
            raise type(error)(sentence.strip()) from error


def _loader(
    dataset: Dataset[Any],
    sampler: Any,
    seed: int,
    workers: int,
    device: torch.device,
    collate: Collate,
) -> DataLoader[Any]:
    return _InWords(
        dataset,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        **_common(seed, device),
    )


def _common(seed: int, device: torch.device) -> dict[str, Any]:
    """A loader draws from the global generator otherwise, and dropout would depend on restarts."""
    generator = torch.Generator().manual_seed(seed)
    return {"pin_memory": device.type == "cuda", "generator": generator}
