"""Batches of a stream, the same ones as a run that never stopped would see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from torch.utils.data import IterableDataset

from onlay.errors import DataError
from onlay.machine.chance import generators_kept, seed_host
from onlay_train.sampler import PositionedSampler


class StreamBatches(IterableDataset[Any]):
    """The batches of one process, from the sampler's epoch and offset on, in the stream's order.

    What other processes take is passed over. The augmentation of an item depends on (seed, epoch,
    position) alone.
    """

    def __init__(
        self, stream: Any, sampler: PositionedSampler, collate: Callable[[Sequence[Any]], Any]
    ) -> None:
        self.stream, self.sampler, self.collate = stream, sampler, collate

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Any]:
        place = self.sampler.offset
        items = self._from(place)
        for part in self.sampler.plan.slices(self.sampler.rank, place):
            passed, own = part.start - place, part.stop - part.start
            place = part.stop
            yield self.collate(list(islice(items, passed, passed + own)))

    def _from(self, place: int) -> Iterator[Any]:
        """Items, each under a seed of its own."""
        epoch, plan = self.sampler.epoch, self.sampler.plan
        with generators_kept():
            self.stream.seek(epoch, place)
            items = iter(self.stream)
        for at in range(place, plan.size):
            with generators_kept():
                seed_host(plan.seed, epoch, at)
                item = next(items, self)
            if item is self:
                raise DataError(
                    f"the training part ended after {at} items, and its `len()` is {plan.size}"
                )
            yield item
