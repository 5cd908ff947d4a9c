"""Linear warm-up, then half a cosine, once per optimizer step."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from onlay.config.train import TrainConfig


def learning_rate(step: int, *, total: int, warmup: int, config: TrainConfig) -> float:
    """Learning rate of a step, counted from 0.

    Warm-up rises in equal parts and reaches `lr` at step `warmup`; the cosine would reach `min_lr`
    at step `total`, the first that is not taken.
    """
    if step < warmup:
        return config.warmup_lr + (config.lr - config.warmup_lr) * (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return config.min_lr + (config.lr - config.min_lr) * (1 + math.cos(math.pi * progress)) / 2


def make_schedule(optimizer: Optimizer, config: TrainConfig, steps_per_epoch: int) -> LambdaLR:
    """The schedule; a group's own learning rate is scaled by the same factor."""
    total = config.epochs * steps_per_epoch
    warmup = round(config.warmup * steps_per_epoch)
    return LambdaLR(
        optimizer,
        lambda step: learning_rate(step, total=total, warmup=warmup, config=config) / config.lr,
    )
