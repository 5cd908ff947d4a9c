"""Linear warm-up, then a fall by one of several rules, once per optimizer step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from onlay.config.train import TrainConfig


def learning_rate(step: int, *, total: int, warmup: int, config: TrainConfig) -> float:
    """Learning rate of a step, counted from 0.

    Warm-up rises in equal parts and reaches `lr` at step `warmup`; `cosine` and `poly` would reach
    `min_lr` at step `total`, the first that is not taken. `step` counts its epochs from the start.
    """
    if step < warmup:
        return config.warmup_lr + (config.lr - config.warmup_lr) * (step + 1) / (warmup + 1)
    if config.sched == "constant":
        return config.lr
    if config.sched == "step":
        return max(config.min_lr, config.lr * config.decay_rate ** _decays(step, total, config))
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    if config.sched == "poly":
        return config.min_lr + (config.lr - config.min_lr) * (1 - progress) ** config.poly_power
    return config.min_lr + (config.lr - config.min_lr) * (1 + math.cos(math.pi * progress)) / 2


def _decays(step: int, total: int, config: TrainConfig) -> int:
    """How often `decay_epochs` are over."""
    every = (config.decay_epochs or config.epochs / 3) * total / config.epochs
    return math.floor(step / every + 1e-9)


@dataclass
class Rates:
    """The learning rate over the steps of a run."""

    config: TrainConfig
    steps_per_epoch: int
    total: int = field(init=False)
    """Steps of the whole run; where it went on with another number of processes, what was left over
    at the end of an epoch may have made a step before and no longer does."""

    def __post_init__(self) -> None:
        self.total = self.config.epochs * self.steps_per_epoch

    def at(self, step: int) -> float:
        """That of `train.lr`, at a step from 0."""
        warmup = round(self.config.warmup * self.steps_per_epoch)
        return learning_rate(step, total=self.total, warmup=warmup, config=self.config)


def make_schedule(optimizer: Optimizer, rates: Rates) -> LambdaLR:
    """The schedule; a group's own learning rate is scaled by the same factor."""
    return LambdaLR(optimizer, lambda step: rates.at(step) / rates.config.lr)
