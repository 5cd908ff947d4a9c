"""How far a pretraining is, and what follows from it: learning rate and pace of the average.

Everything hangs on the share of the budget that is used, so that a schedule on a clock ends
complete on any machine, however fast it is and whatever else runs there.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.monotonic, "cpu": time.process_time}
"""`cpu` counts the seconds of all threads: a schedule that others' load does not shorten."""
LOADED = {name: clock() for name, clock in CLOCKS.items()}


class Budget:
    """Seconds of a clock, or a number of steps."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.steps, self.most = options.steps, options.max_steps
        self.clock, self.before, self.began = CLOCKS[options.clock], 0.0, 0.0
        self.limit = options.minutes * 60
        self.early = LOADED[options.clock] if options.from_the_start else None

    def start(self, before: float) -> None:
        """Go on behind `before` seconds; on a first start what went before may count."""
        self.before, self.began = before, self.clock()
        if self.early is not None and not before:
            self.limit = max(self.limit - (self.began - self.early), 1.0)

    def elapsed(self) -> float:
        return self.before + self.clock() - self.began

    def share(self, step: int) -> float:
        """0 at the start; from 1 on all is used."""
        return step / self.steps if self.steps else self.elapsed() / self.limit

    def left(self, step: int) -> bool:
        return step < self.most and self.share(step) < 1


def learning_rate(peak: float, progress: float) -> float:
    """Linear warm-up over the first 3 %, then half a cosine down to a hundredth."""
    if progress < 0.03:
        return peak * max(progress / 0.03, 0.01)
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1))) / 2)


def average_decay(progress: float, last: float, step: int) -> float:
    """Of the average over a hundredth of the schedule at first and three in the end, at least over
    ten steps, and over fewer where there were no more.
    """
    span = 0.01 + 0.02 * min(progress, 1)
    paced = max(math.exp(-max(progress - last, 0) / span), 0.9)
    return min(paced, 0.9995, (1 + step) / (10 + step))
