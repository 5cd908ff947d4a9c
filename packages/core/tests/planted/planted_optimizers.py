"""Optimizers that each break one sentence of the contract, and a healthy one with a closure."""

from __future__ import annotations

import random
from typing import Any

import torch

from onlay import hookimpl
from onlay.descriptors import Optimizer
from onlay.settings import Config


class Healthy(torch.optim.SGD):
    """Looks twice."""

    needs_closure = True

    def step(self, closure: Any = None) -> Any:
        loss = closure()
        super().step()
        return loss


class Uphill(torch.optim.SGD):
    def __init__(self, groups: Any, lr: float) -> None:
        super().__init__(groups, lr=lr, maximize=True)


class Deaf(torch.optim.SGD):
    """Its rate is what it was in the beginning."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            group["lr"] = 0.01
        super().step()


class OneSize(torch.optim.SGD):
    """Its rate counts as on or off."""

    def step(self, closure: Any = None) -> None:
        own = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = 0.01 if group["lr"] else 0.0
        super().step()
        for group, rate in zip(self.param_groups, own, strict=True):
            group["lr"] = rate


class Undecayed(torch.optim.SGD):
    """Its weight decay is what it was made with."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            group["weight_decay"] = self.defaults["weight_decay"]
        super().step()


class Drawing(torch.optim.SGD):
    """Its steps are longer or shorter by Python's own generator."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.mul_(random.random())
        super().step()


class Forgetful(torch.optim.SGD):
    """How many steps it took is in no state."""

    taken = 0

    def step(self, closure: Any = None) -> None:
        self.taken += 1
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.div_(self.taken)
        super().step()


class Undescribed(Config):
    """A field without a docstring."""

    rho: float = 0.1


KINDS = {
    "healthy": (Healthy, ""),
    "uphill": (Uphill, "lowers_a_loss"),
    "deaf": (Deaf, "follows_the_rates_of_groups"),
    "one_size": (OneSize, "size_of_a_rate_counts"),
    "undecayed": (Undecayed, "follows_the_decay_of_groups"),
    "drawing": (Drawing, "steps_alike_under_a_seed"),
    "forgetful": (Forgetful, "goes_on_from_its_state"),
    "undescribed": (Healthy, "settings_are_described"),
}


def build(groups: Any, config: Any, settings: Any) -> Any:
    return KINDS[config.opt][0](groups, lr=config.lr)


@hookimpl
def register_optimizers() -> Any:
    for name in KINDS:
        own = f"{__name__}:Undescribed" if name == "undescribed" else None
        yield Optimizer(name=name, build=f"{__name__}:build", summary="planted", settings=own)
