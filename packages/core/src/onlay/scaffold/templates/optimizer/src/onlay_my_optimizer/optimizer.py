"""How parameters step.

With g the gradient, m <- momentum m + (1 - momentum) g, p <- p - lr (sign(m) + decay p).
"""

from typing import Any

import torch
from onlay.config.train import TrainConfig

from .config import MyOptimizerConfig


class SignOfMean(torch.optim.Optimizer):
    """All that a step depends on is in `state`: a run that is stopped goes on exactly."""

    def __init__(
        self, groups: Any, *, lr: float, weight_decay: float, momentum: float
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Once for every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        own = self.state[parameter]
        if "mean" not in own:
            own["mean"] = torch.zeros_like(parameter)
        mean = own["mean"]
        mean.lerp_(parameter.grad, 1 - group["momentum"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_(mean.sign(), alpha=group["lr"])


def build(
    groups: list[dict[str, Any]],
    config: TrainConfig,
    settings: MyOptimizerConfig,
) -> SignOfMean:
    """Groups have a `weight_decay` of their own, and a `lr` where it is not the run's."""
    return SignOfMean(
        groups,
        lr=config.lr,
        weight_decay=config.weight_decay,
        momentum=settings.momentum,
    )
