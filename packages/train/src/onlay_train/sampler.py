"""Which samples a step sees: a function of seed, epoch and offset, so that a run can go on.

Legend: `offset` counts samples of the epoch's permutation that are behind us, over all processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

from onlay.data import Blocks
from onlay_train.balance import balanced_order, times

Key = tuple[int, ...]
"""(epoch, index), or (epoch, index, time) of a sample that was seen `time` times before in this
epoch: what a loader asks a data set for."""


def block_order(blocks: Blocks, chance: np.random.Generator) -> np.ndarray:
    """Blocks in any order, and those of every `window` mixed."""
    ends = np.cumsum(blocks.sizes)
    ranges = [np.arange(end - size, end) for end, size in zip(ends, blocks.sizes, strict=True)]
    dealt = [ranges[block] for block in chance.permutation(len(ranges))]
    windows = range(0, len(dealt), blocks.window)
    mixed = (np.concatenate(dealt[start : start + blocks.window]) for start in windows)
    return np.concatenate([chance.permutation(window) for window in mixed])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the samples of an epoch are dealt to steps, processes and accumulated batches.

    Every step has the same number of equal batches on every process; the last step of an epoch may
    be smaller. Fewer than `world * accumulate` samples can be left over, and a last batch of a lone
    sample is left out because batch normalisation cannot train on it.
    """

    size: int
    batch_size: int
    accumulate: int = 1
    world: int = 1
    seed: int = 0
    classes: Sequence[int] | None = None
    """The class of every sample, where each class is to come equally often."""
    blocks: Blocks | None = None
    """Which samples are cheap to read together, where that decides on their order."""

    @property
    def parts(self) -> int:
        """Batches in a step, over all processes."""
        return self.world * self.accumulate

    @property
    def samples(self) -> int:
        """In a full step, over all processes."""
        return self.batch_size * self.parts

    def batch(self, offset: int) -> int:
        """Samples in each batch of the step at `offset`; 0 where the epoch ends."""
        batch = min(self.batch_size, (self.size - offset) // self.parts)
        return 0 if batch == 1 < self.batch_size and offset else batch

    def advance(self, offset: int) -> int:
        """The offset after the step at `offset`."""
        return offset + self.batch(offset) * self.parts

    def steps(self, offset: int = 0) -> int:
        """Steps from `offset` to the end of the epoch."""
        count = 0
        while self.batch(offset):
            offset, count = self.advance(offset), count + 1
        return count

    def order(self, epoch: int) -> np.ndarray:
        """The epoch's samples (size,), the same on every process: a permutation, in blocks if
        there are any, or as many of each class."""
        chance = np.random.default_rng([self.seed, epoch])
        if self.classes is not None:
            return balanced_order(self.classes, chance)
        if self.blocks is not None:
            return block_order(self.blocks, chance)
        return chance.permutation(self.size)

    def slices(self, rank: int, offset: int = 0) -> Iterator[slice]:
        """Where the batches of one process lie in the epoch's order, from `offset` on."""
        while batch := self.batch(offset):
            for part in range(self.accumulate):
                start = offset + (part * self.world + rank) * batch
                yield slice(start, start + batch)
            offset = self.advance(offset)


class PositionedSampler(Sampler[list[Key]]):
    """The batches of one process from `epoch` and `offset` on; for `DataLoader(batch_sampler=)`."""

    def __init__(self, plan: Plan, rank: int = 0) -> None:
        self.plan, self.rank = plan, rank
        self.epoch = self.offset = 0

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, order = self.epoch, self.plan.order(self.epoch)
        again = None if self.plan.classes is None else times(order)
        for part in self.plan.slices(self.rank, self.offset):
            before = [0] * len(order[part]) if again is None else again[part]
            pairs = zip(order[part], before, strict=True)
            yield [(epoch, int(i), int(n)) if n else (epoch, int(i)) for i, n in pairs]

    def __len__(self) -> int:
        return self.plan.steps(self.offset) * self.plan.accumulate


class ShardSampler(Sampler[list[int]]):
    """Every sample of a part in order, dealt out to processes in equal shares.

    Shares are equal because a sharded model must run equally often everywhere; the surplus comes
    last and repeats sample 0, and `own` says how many of a process's samples count.
    """

    def __init__(self, size: int, batch_size: int, rank: int = 0, world: int = 1) -> None:
        self.own = len(range(rank, size, world))
        share = -(-size // world)
        indices = list(range(rank, size, world)) + [0] * (share - self.own)
        self.batches = [indices[i : i + batch_size] for i in range(0, share, batch_size)]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)
