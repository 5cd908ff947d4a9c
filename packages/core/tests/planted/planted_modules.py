"""What the planted methods put beside q, k and v: a healthy low-rank branch, and broken ones."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Affine

OF_THE_PROCESS: dict[int, nn.Linear] = {}


class LowRank(nn.Module):
    """up(down(x)) + shift, starting as zero: the healthy module that the defects change."""

    def __init__(self, width: int, neighbour: Any = None) -> None:
        super().__init__()
        self.down = nn.Linear(width, 2, bias=False)
        self.up = nn.Linear(2, 3 * width)
        self.neighbours = [neighbour]  # the frozen map beside it, in a list: no child
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))

    def affine(self) -> Affine:
        return Affine(self.up.weight @ self.down.weight, self.up.bias)


class Leaking(LowRank):
    """Its frozen neighbour trains, too."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.neighbours[0].requires_grad_(True)
        return super().forward(x)


class Moving(LowRank):
    """It moves a weight of the backbone a little in each step."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.neighbours[0].weight.data.mul_(0.999)
        return super().forward(x)


class Averaging(LowRank):
    """It keeps a running mean that no bundle holds."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.register_buffer("mean", torch.zeros(width), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean.lerp_(x.detach().flatten(0, -2).mean(0), 0.5)
        return super().forward(x + self.mean)


class Aliasing(LowRank):
    """It computes with its running mean under another name than that of the bundle."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.register_buffer("mean", torch.zeros(width))
        self.used = [self.mean]

    def forward(self, x: Tensor) -> Tensor:
        mean = self.used[0]
        if self.training:
            mean.lerp_(x.detach().flatten(0, -2).mean(0).to(mean), 0.5)
        return super().forward(x + mean.to(x))


class ReadingWeights(LowRank):
    """It computes with the frozen weight, in whatever dtype that is."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0 * F.linear(x, self.neighbours[0].weight)


class Doubling(LowRank):
    """It takes the mean in float64."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.double().mean(-1, keepdim=True).to(x.dtype)
        return super().forward(x - mean)


class ForgetfulMerge(LowRank):
    def affine(self) -> Affine:
        return Affine(self.up.weight @ self.down.weight)


class SecretlyBent(LowRank):
    """It says that it is linear and has a ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x).relu())


class AlwaysDropping(LowRank):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, 0.5))


class PythonStart(LowRank):
    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        nn.init.constant_(self.down.weight, random.random())


class NumpyNoise(LowRank):
    def forward(self, x: Tensor) -> Tensor:
        noise = float(np.random.default_rng().normal()) if self.training else 0.0
        return super().forward(x + noise)


class Mixing(LowRank):
    """It takes the mean over the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(0, keepdim=True))


class SquareMap(LowRank):
    """It believes that a map is square."""

    def forward(self, x: Tensor) -> Tensor:
        side = int((x.shape[1] - 1) ** 0.5)
        x[:, 1:].unflatten(1, (side, side))
        return super().forward(x)


class LoudStart(LowRank):
    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        nn.init.normal_(self.up.weight)


class Silenced(LowRank):
    """A parameter in the graph that nothing comes through."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.gate = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.0 * self.gate


class Unplugged(LowRank):
    """A parameter that is not in the graph."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.spare = nn.Parameter(torch.ones(width))


class DetachedInside(LowRank):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class ManyPenalties(LowRank):
    def auxiliary_loss(self) -> Tensor:
        return self.up.weight.square().sum(0)


class EndlessPenalty(LowRank):
    def auxiliary_loss(self) -> Tensor:
        return self.up.weight.sum().abs().sub(1e9).log()


class Brightening(LowRank):
    """Its second view is the first one, too."""

    def views(self, inputs: Tensor) -> Tensor:
        return torch.cat([inputs, inputs.mul_(1.1)])

    def loss(self, output: Tensor, targets: Tensor, head: Any) -> Tensor:
        return head.loss(output.chunk(2)[0], targets)


class Forgetting(LowRank):
    """What it closes after a step is no buffer."""

    open = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.open

    def after_step(self, step: int, total: int) -> None:
        self.open = 1 - step / total


class Rounding(LowRank):
    """An epsilon that bfloat16 rounds away."""

    def forward(self, x: Tensor) -> Tensor:
        gap = 1 - (torch.ones((), dtype=self.down(x).dtype) - 1e-3)
        return super().forward(x) + self.up.bias * 1e-3 / gap


class Counting(LowRank):
    """Its second pass through a block, when gradients are recomputed, is not its first."""

    passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes = self.passes + 1 if self.training else 0
        return super().forward(x) * (1 + self.passes % 2)


class OtherWhenCompiled(LowRank):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (2 if torch.compiler.is_compiling() else 1)


class Closed(LowRank):
    """Its forward is a closure over the module that was copied."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        up, down = self.up, self.down
        self.through = lambda x: up(down(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.through(x)


class Sometimes(LowRank):
    """In training it leaves its bias out of the graph."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return F.linear(self.down(x), self.up.weight)
        return super().forward(x)


class OfTheProcess(LowRank):
    """One projection for all adapters of the process, kept in the module."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.up = OF_THE_PROCESS.setdefault(width, self.up)


class Hoarding(LowRank):
    """It keeps a copy of a frozen weight."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.register_buffer("frozen", neighbour.weight.detach().clone())


class Overwriting(LowRank):
    """It centres what it reads in place."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(x.mean(-1, keepdim=True)))


class Viewing(LowRank):
    """It believes that rows lie one behind the other in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(-1, x.shape[-1])).view(*x.shape[:-1], -1)


class Exploding(LowRank):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.exp().log())


class EvenGates(LowRank):
    """It believes that as many tokens pass its gate in every input."""

    def forward(self, x: Tensor) -> Tensor:
        passing = x[..., 0] > -10
        rows = super().forward(x[passing].view(len(x), -1, x.shape[-1]))
        added = rows.new_zeros(*x.shape[:-1], rows.shape[-1])
        added[passing] = rows.flatten(0, 1)
        return added


class DroppingWithGradients(LowRank):
    """It takes gradients for training."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, 0.5, training=torch.is_grad_enabled()))


class FixedTable(LowRank):
    """A table that no conversion reaches."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.table = [torch.linspace(-1, 1, width)]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + self.table[0])


class Remembering(LowRank):
    """It keeps what it made of its last inputs."""

    def forward(self, x: Tensor) -> Tensor:
        self.last = self.down(x).detach()
        return self.up(self.down(x))


class Trailing(LowRank):
    """Its running mean hangs on the graphs of all passes."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        self.running = [torch.zeros(())]

    def forward(self, x: Tensor) -> Tensor:
        down = self.down(x)
        if self.training:
            self.running[0] = 0.9 * self.running[0] + 0.1 * down.mean()
        return self.up(down)


class HashedStart(LowRank):
    """It starts with the hash of a text."""

    def __init__(self, width: int, neighbour: Any) -> None:
        super().__init__(width, neighbour)
        nn.init.constant_(self.down.weight, hash("planted") / 2**63)


class MadeOnTheCpu(LowRank):
    """Its table is made where tensors are made by default."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + torch.linspace(-1, 1, x.shape[-1]).to(x.dtype))


class Looping(LowRank):
    """A program of it is for as many inputs as it was written with."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.up(self.down(one)) for one in x])
