"""Where a run stands: everything that is needed to go on, beside tensors and generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from onlay.reports import PERCENT, Measure


@dataclass
class Progress:
    """Counted in finished work; `offset` in samples of the epoch, over all processes."""

    epoch: int = 0
    offset: int = 0
    step: int = 0
    batches: int = 0
    """Batches of this epoch that are in the sum of losses."""
    seconds: float = 0.0
    """Of training, over all starts."""
    seconds_before: float = 0.0
    """What `seconds` was when the latest epoch ended."""
    judging: float = 0.0
    """Of these, seconds in which parts were judged."""
    last: dict[str, float] = field(default_factory=dict)
    """Metrics of the judged part after the latest epoch."""
    best: dict[str, float] = field(default_factory=dict)
    """Metrics of the judged part after `best_epoch`, counted from 1."""
    best_epoch: int = 0

    def judge(self, metrics: Mapping[str, float], main: str, measure: Measure = PERCENT) -> bool:
        """Take in the metrics of the epoch that ends; is it the best by `main`?"""
        self.last = dict(metrics)
        if self.best and not measure.improves(metrics[main], self.best[main]):
            return False
        self.best, self.best_epoch = self.last, self.epoch + 1
        return True

    def stale(self, patience: int | None) -> bool:
        """Have `patience` epochs gone by without a better one?"""
        return patience is not None and bool(self.best) and self.epoch - self.best_epoch >= patience

    def next_epoch(self) -> None:
        """The epoch is trained and judged."""
        self.epoch, self.offset, self.batches = self.epoch + 1, 0, 0

    def dump(self) -> dict[str, Any]:
        return asdict(self)
