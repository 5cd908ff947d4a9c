"""FacT (Jie and Deng, AAAI 2023, arXiv:2212.03145, section 3.2).

Shapes: D width, r rank, c columns of a stage (12 a block: q, k, v, proj, 4 of fc1, 4 of fc2).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from onlay_baselines.shared_factors import Update, pieces_of
from onlay_baselines.updates import refuse_above, update

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement, Stage
    from onlay_baselines.config.weights import FactConfig

MAPS = ("qkv", "proj", "fc1", "fc2")


class Ends(nn.Module):
    """U (D, r) and V (r, D), and for Tucker the core (r, r, r) and its mixing factor (r, c)."""

    def __init__(self, width: int, columns: int, config: FactConfig) -> None:
        super().__init__()
        rank = config.rank
        self.first = nn.Parameter(torch.empty(width, rank))
        nn.init.kaiming_uniform_(self.first.T, a=math.sqrt(5))
        self.last = nn.Parameter(torch.zeros(rank, width))
        if config.kind == "tk":
            self.tucker = nn.Parameter(torch.empty(rank, rank, rank))
            self.mixing = nn.Parameter(torch.empty(rank, columns))
            nn.init.xavier_uniform_(self.tucker)
            nn.init.xavier_uniform_(self.mixing)

    def core(self, start: int, pieces: tuple[int, int]) -> Tensor:
        """S of the map whose columns begin at `start`, (p r, o r)."""
        own = self.mixing[:, start : start + max(pieces)]
        side_by_side = torch.einsum("abj,jm->amb", self.tucker, own).flatten(1)
        return side_by_side if pieces[0] == 1 else side_by_side.T


class TrainCore(nn.Module):
    """S of one map of the tensor train, a parameter."""

    def __init__(self, rank: int, pieces: tuple[int, int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(pieces[1] * rank, pieces[0] * rank))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self) -> Tensor:
        return self.weight.T


class TuckerCore(nn.Module):
    """S of one map, from what all share."""

    def __init__(self, ends: Ends, start: int, pieces: tuple[int, int]) -> None:
        super().__init__()
        self.ends, self.start, self.pieces = ends, start, pieces

    def forward(self) -> Tensor:
        return self.ends.core(self.start, self.pieces)


def attach(place: Placement, config: FactConfig) -> None:
    """One U and one V for the whole network; a reading: one of each for every stage of another
    width."""
    for stage in place.stages:
        refuse_above("rank", config.rank, stage.width, "a piece of a weight")
        ends, column = Ends(stage.width, columns_of(stage), config), 0
        for block in stage.blocks:
            for name in MAPS:
                pieces = pieces_of(block, name)
                core: Any = (
                    TrainCore(config.rank, pieces)
                    if config.kind == "tt"
                    else TuckerCore(ends, column, pieces)
                )
                column += max(pieces)
                made = Update(ends, core, pieces, scale=config.scale, dropout=config.dropout)
                update(place, block, name, made)


def columns_of(stage: Stage) -> int:
    return sum(max(pieces_of(block, name)) for block in stage.blocks for name in MAPS)


def count(config: FactConfig, anatomy: Anatomy) -> int:
    """2 D r + c r² for the tensor train, 2 D r + r³ + c r for Tucker, for each stage."""
    rank = config.rank
    if config.kind == "tt":
        return sum(2 * s.width * rank + columns_of(s) * rank**2 for s in anatomy.stages)
    return sum(2 * s.width * rank + rank**3 + columns_of(s) * rank for s in anatomy.stages)
