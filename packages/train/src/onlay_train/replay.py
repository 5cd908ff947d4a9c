"""Steps of optimizers that want to see the step's loss and gradient at other weights, too (SAM)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from onlay.errors import ConfigError
from onlay_train.shares import Share


def wants_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Whether its `step` is to be given a closure: it says `needs_closure = True`."""
    return bool(getattr(optimizer, "needs_closure", False))


def check_closure(optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
    """Raise a `ConfigError` where gradients are scaled, which no closure could follow."""
    if wants_closure(optimizer) and accelerator.scaler is not None:
        raise ConfigError(
            f"`{type(optimizer).__name__}` repeats the forward and backward passes of a step, which"
            " the gradient scaler of `train.precision=fp16` cannot follow: take"
            " `train.precision=bf16`, or leave it out"
        )


class Replay:
    """Takes the optimizer's steps.

    An optimizer with `needs_closure` is called as `step(closure)`, with the step's gradient at
    hand, all of its batches and processes added up and clipped. `closure()` clears the gradient,
    repeats the forward and backward passes of all batches of the step with the weights as they are
    now, clips, and gives the loss; the optimizer puts the weights back itself. Dropout draws anew.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: AcceleratedOptimizer,
        accelerator: Accelerator,
        clip: Callable[[], None],
    ) -> None:
        self.model, self.optimizer, self.accelerator, self.clip = (
            model,
            optimizer,
            accelerator,
            clip,
        )
        self.kept: list[tuple[Any, Share]] = []
        """The batches of the step so far, where they will be asked for once more."""

    def step(self, batch: Any, share: Share) -> None:
        """The optimizer's step, if this batch is the last of one."""
        if not wants_closure(self.optimizer.optimizer):
            self.optimizer.step()
            return
        self.kept.append((batch, share))
        if self.accelerator.sync_gradients:
            self.optimizer.step(self.closure)
            self.kept.clear()

    def closure(self) -> Tensor:
        """Forward, loss and backward of the whole step; gives its mean loss."""
        self.optimizer.optimizer.zero_grad()
        with torch.enable_grad():
            losses = [self._passed(*each, last=each is self.kept[-1]) for each in self.kept]
        self.clip()
        return torch.stack(losses).mean()

    def _passed(self, batch: Any, share: Share, *, last: bool) -> Tensor:
        inputs, targets = batch
        with nullcontext() if last else self.accelerator.no_sync(self.model):
            loss = self.model(inputs, targets, share=share)
            self.accelerator.backward(loss)
        return loss.detach()
