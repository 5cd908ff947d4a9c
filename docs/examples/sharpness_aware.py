"""Sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412) over SGD, as an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from onlay import hookimpl
from onlay.descriptors import Optimizer
from onlay.settings import Config

if TYPE_CHECKING:
    import torch

    from onlay.config.train import TrainConfig


class SamConfig(Config):
    """Steps by the gradient at the worst place nearby."""

    rho: float = 0.05
    """How far that place is."""


def build(groups: list[dict[str, Any]], config: TrainConfig, settings: SamConfig) -> Any:
    """A function, so that registering imports no torch."""
    import torch

    class Sam(torch.optim.SGD):
        needs_closure = True

        @torch.no_grad()
        def step(self, closure: Callable[[], torch.Tensor]) -> torch.Tensor:
            tensors = [p for group in self.param_groups for p in group["params"]]
            kept = [p.clone() for p in tensors]
            length = torch.stack([p.grad.norm() for p in tensors]).norm() + 1e-12
            for p in tensors:
                p.add_(p.grad * (settings.rho / length))  # uphill
            loss = closure()
            for p, before in zip(tensors, kept, strict=True):
                p.copy_(before)
            super().step()
            return loss

    return Sam(groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)


@hookimpl
def register_optimizers() -> Iterable[Optimizer]:
    """Named in a run as `train.opt=sam train.opt_kwargs.rho=0.1`."""
    path = f"{__name__}:build"
    yield Optimizer(name="sam", build=path, settings=f"{__name__}:SamConfig", summary="flat minima")
