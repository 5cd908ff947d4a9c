"""A registered optimizer with one of its `examples`, and a small problem to step on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from onlay.config.optimizing import settings_of
from onlay.config.train import TrainConfig
from onlay.descriptors import Optimizer
from onlay.host import PluginHost
from onlay.testing.registered import in_words

RATE = 1e-2


class Problem:
    """A linear map (4 x 3) and a shift, to be fitted to sixteen points."""

    def __init__(self) -> None:
        drawn = torch.Generator().manual_seed(0)
        self.matrix = nn.Parameter(torch.randn(4, 3, generator=drawn))
        self.shift = nn.Parameter(torch.randn(3, generator=drawn))
        self.inputs = torch.randn(16, 4, generator=drawn)
        self.targets = torch.randn(16, 3, generator=drawn)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Copies of what trains."""
        named = {"matrix": self.matrix, "shift": self.shift}
        return {name: parameter.detach().clone() for name, parameter in named.items()}

    def loss(self) -> Tensor:
        """The mean square that is left."""
        return (self.inputs @ self.matrix + self.shift - self.targets).square().mean()

    def step(self, optimizer: torch.optim.Optimizer, steps: int = 1) -> None:
        """As a run takes steps, with a closure where one is needed."""
        for _ in range(steps):
            self._passed(optimizer)
            wanted = getattr(optimizer, "needs_closure", False)
            optimizer.step(self._closure(optimizer)) if wanted else optimizer.step()

    def _closure(self, optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
        return torch.enable_grad()(lambda: self._passed(optimizer))

    def _passed(self, optimizer: torch.optim.Optimizer) -> Tensor:
        optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss.detach()


@dataclass(frozen=True, eq=False)
class OptimizerCase:
    """An example of an optimizer."""

    host: PluginHost
    optimizer: Optimizer
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return in_words(self.optimizer.name, self.settings)

    @property
    def first(self) -> bool:
        """Whether these are the usual settings."""
        return self.settings == self.optimizer.examples[0]

    def made(self, problem: Problem, *, decay: float = 0.0) -> Any:
        """The optimizer of a problem, the matrix and the shift in groups of their own, the matrix
        with a weight decay."""
        name, own = self.optimizer.name, dict(self.settings)
        config = TrainConfig(opt=name, opt_kwargs=own, lr=RATE, weight_decay=0)
        groups = [
            {"params": [each], "weight_decay": own_decay, "lr": RATE}
            for each, own_decay in ((problem.matrix, decay), (problem.shift, 0.0))
        ]
        given = groups, config, settings_of(config, self.host)
        return self.host.call("optimizer", name, "build", *given)


def optimizer_cases(name: str, host: PluginHost) -> list[OptimizerCase]:
    """One for each of its examples."""
    optimizer = host.find("optimizer", name)
    return [OptimizerCase(host, optimizer, settings) for settings in optimizer.examples]
