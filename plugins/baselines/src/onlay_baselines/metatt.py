"""MetaTT (2025, arXiv:2506.09105, section 3), the train of four kinds of cores.

Its start was not seen: first core 0, middle ones the identity, last one Xavier's is a reading.

Shapes: D width, r rank, L layers, M kinds of pieces of D by D.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay_baselines.shared_factors import Update, pieces_of, stacked
from onlay_baselines.updates import refuse_above, update

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement, Stage
    from onlay_baselines.config.weights import MetattConfig


class Train(nn.Module):
    """G1 (D, r), G2 (L, r, r), G3 (M, r, r), G4 (r, D)."""

    def __init__(self, width: int, layers: int, kinds: int, rank: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(width, rank))
        self.layers = nn.Parameter(torch.eye(rank).repeat(layers, 1, 1))
        self.kinds = nn.Parameter(torch.eye(rank).repeat(kinds, 1, 1))
        self.last = nn.Parameter(torch.empty(rank, width))
        nn.init.xavier_uniform_(self.last)


class Core(nn.Module):
    """G2 G3 of one map in one layer, (p r, o r)."""

    def __init__(self, train: Train, layer: int, kind: int, pieces: tuple[int, int]) -> None:
        super().__init__()
        self.train_of_all, self.layer, self.kind, self.pieces = train, layer, kind, pieces

    def forward(self) -> Tensor:
        train = self.train_of_all
        own = train.kinds[self.kind : self.kind + max(self.pieces)]
        return stacked([*(train.layers[self.layer] @ own)], self.pieces)


def attach(place: Placement, config: MetattConfig) -> None:
    """One train for all layers of a width."""
    for stage in place.stages:
        refuse_above("rank", config.rank, stage.width, "a piece of a weight")
        train = Train(stage.width, len(stage.blocks), kinds_of(stage, config), config.rank)
        for layer, block in enumerate(stage.blocks):
            kind = 0
            for name in config.targets:
                pieces = pieces_of(block, name)
                core = Core(train, layer, kind, pieces)
                kind += max(pieces)
                update(place, block, name, Update(train, core, pieces, scale=config.alpha))


def kinds_of(stage: Stage, config: MetattConfig) -> int:
    return sum(max(pieces_of(stage.blocks[0], name)) for name in config.targets)


def count(config: MetattConfig, anatomy: Anatomy) -> int:
    """2 D r + (L + M) r² for each stage."""
    r = config.rank
    return sum(
        2 * s.width * r + (len(s.blocks) + kinds_of(s, config)) * r**2 for s in anatomy.stages
    )
