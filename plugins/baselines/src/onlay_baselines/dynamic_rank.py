"""Dynamic ranks: "DoRA" of Mao et al. (ACL 2024, arXiv:2405.17357), which closes rank-1 parts.

Shapes: D width, n parts of a map.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Affine
from onlay.figures import Figures
from onlay.narrow import widened
from onlay_baselines.updates import refuse_above, shape_of, update

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.weights import DynamicRankConfig

DECAY = 0.9
"""Of the moving average of importance."""
TINY = 1e-8


class Parts(nn.Module):
    """(alpha / n) * sum of c_i b_i (a_i x); 0 at the start, for c is. It is 0 again of parts that
    are closed for good."""

    open: Tensor
    importance: Tensor
    pictured = "gates of parts"
    meaning = (
        "The gate of each rank-1 part of an update; a part whose gate is 0 is closed. The same for"
        " every input."
    )

    def __init__(self, inputs: int, outputs: int, allotment: Allotment) -> None:
        super().__init__()
        config = allotment.config
        first = first_rank(config)
        self.decided_by = [allotment]  # in a list: no part of this one
        allotment.parts.append(self)
        self.down = nn.Parameter(torch.empty(first, inputs))
        self.up = nn.Parameter(torch.empty(outputs, first))
        self.gates = nn.Parameter(torch.zeros(first))
        self.register_buffer("open", torch.ones(first, dtype=torch.bool))
        self.register_buffer("importance", torch.zeros(first))
        self.scale, self.dropout = config.alpha / first, config.dropout
        nn.init.kaiming_uniform_(self.down)
        nn.init.kaiming_uniform_(self.up)

    def forward(self, x: Tensor) -> Tensor:
        h = F.linear(F.dropout(x, self.dropout, self.training), self.down)
        return widened(h, self.scale * self.up * (self.gates if self.training else self.kept()))

    def kept(self) -> Tensor:
        """The gates (n,), 0 of parts that are closed for good: an average of the weights of a
        training still has what they were before."""
        return self.gates.where(self.open | ~self.decided_by[0].final, 0)

    def affine(self) -> Affine:
        return Affine(self.scale * (self.up * self.kept()) @ self.down)

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        return self.kept()[None, None, None]

    def now(self) -> Tensor:
        """What each part contributes to the update, (n,)."""
        lengths = self.gates.abs() * self.up.norm(dim=0) * self.down.norm(dim=1)
        return lengths / ((self.up * self.gates) @ self.down).norm().add(TINY)

    def variance(self) -> Tensor:
        """The mean variance of the parts' vectors."""
        return self.down.var(dim=1).mean() + self.up.var(dim=0).mean()


class Allotment(nn.Module):
    """Which parts of all maps stay open, decided while training."""

    final: Tensor

    def __init__(self, config: DynamicRankConfig) -> None:
        super().__init__()
        self.config = config
        self.parts: list[Parts] = []  # of their maps: here they would be of all blocks
        self.register_buffer("final", torch.tensor(False))

    def after_step(self, step: int, total: int) -> None:
        """Follow the importance of parts; now and then close the least important ones of all. What
        is closed starts again from 0 and may be open at the next choice; the last one stays."""
        chosen = bool(self.final)
        if not chosen:
            for each in self.parts:
                each.importance.mul_(DECAY).add_((1 - DECAY) * each.now())
            chosen = self._decide(self.parts, step, total)
        for each in self.parts if chosen else ():  # after the last choice momentum moves the closed
            each.gates.mul_(each.open)

    def _decide(self, parts: list[Parts], step: int, total: int) -> bool:
        """Whether a choice was made."""
        first, last = self.config.start * total, self.config.stop * total
        final = step >= math.floor(last)
        if step < first or (step % self.config.every and not final):
            return False
        progress = min(1.0, (step - first) / (last - first))
        closing = closed(sum(len(each.open) for each in parts), self.config, progress)
        self._close(parts, closing)
        self.final.fill_(final)
        return True

    def _close(self, parts: list[Parts], closing: int) -> None:
        order = torch.cat([each.importance for each in parts]).argsort(stable=True)
        open_all = torch.ones(len(order), dtype=torch.bool, device=order.device)
        open_all[order[:closing]] = False
        for each, own in zip(parts, open_all.split([len(p.open) for p in parts]), strict=True):
            each.open.copy_(own)

    def auxiliary_loss(self) -> Tensor:
        """The penalty on the vectors' variance, until the choice is final."""
        if not self.training or not self.config.penalty:
            return self.parts[0].gates.new_zeros(())
        mean = torch.stack([each.variance() for each in self.parts]).mean()
        return self.config.penalty * mean * ~self.final

    def figures(self) -> Figures:
        """How many parts a map has on average."""
        open_now = torch.stack([each.open.sum() for each in self.parts]).float().mean()
        return Figures({"dynamic_rank/parts": open_now.item()})


class Told(nn.Module):
    """A map's parts, and what decides on all of them."""

    def __init__(self, parts: Parts, allotment: Allotment) -> None:
        super().__init__()
        self.parts, self.allotment = parts, allotment

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)

    def affine(self) -> Affine:
        return self.parts.affine()


def first_rank(config: DynamicRankConfig) -> int:
    """Parts of a map at the start, half as many again as at the end."""
    return math.ceil(1.5 * config.rank)


def closed(parts: int, config: DynamicRankConfig, progress: float) -> int:
    """How many of all parts are closed at this share of the way, by the authors' cubic."""
    first = first_rank(config)
    return max(1, int(parts * (first - config.rank) / first * progress**3))


def attach(place: Placement, config: DynamicRankConfig) -> None:
    allotment = Allotment(config)
    for block in place.blocks:
        for name in config.targets:
            sizes = shape_of(block, name)
            refuse_above("rank", first_rank(config), min(sizes), f"`{name}`, at the start,")
            update(place, block, name, Told(Parts(*sizes, allotment), allotment))


def count(config: DynamicRankConfig, anatomy: Anatomy) -> int:
    """n (in + out + 1) for each map, n being the parts at the start."""
    sizes = (sum(shape_of(b, name)) + 1 for b in anatomy.blocks for name in config.targets)
    return first_rank(config) * sum(sizes)
