"""Sharpness-aware minimisation (arXiv:2010.01412, algorithm 1; adaptive: arXiv:2102.11600)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from onlay.config.train import TrainConfig
from onlay_example_sam.config import SamConfig


class Sam(torch.optim.AdamW):
    """Goes `rho` uphill, takes the gradient there, and steps by it from where it was."""

    needs_closure = True

    def __init__(self, groups: list[dict[str, Any]], settings: SamConfig, **given: Any) -> None:
        super().__init__(groups, **given)
        self.settings = settings

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        tensors = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.clone() for p in tensors]
        sizes = [p.abs() if self.settings.adaptive else torch.ones_like(p) for p in tensors]
        slopes = [size * p.grad for size, p in zip(sizes, tensors, strict=True)]
        length = torch.stack([slope.norm() for slope in slopes]).norm() + 1e-12
        for p, size, slope in zip(tensors, sizes, slopes, strict=True):
            p.add_(size * slope * (self.settings.rho / length))
        loss = closure()
        for p, start in zip(tensors, before, strict=True):
            p.copy_(start)
        super().step()
        return loss


def build(groups: list[dict[str, Any]], config: TrainConfig, settings: SamConfig) -> Sam:
    return Sam(groups, settings, lr=config.lr, betas=config.opt_betas)
