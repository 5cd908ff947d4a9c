"""A method with a loss and figures of its own: a low-rank branch that opens for some tokens."""

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from onlay import hookimpl
from onlay.anatomy import Block, Placement
from onlay.descriptors import Method
from onlay.figures import Figures
from onlay.recompute import recomputing
from onlay.settings import Config


class GatedLowRankConfig(Config):
    """A low-rank branch beside the MLP, with a gate for each token."""

    name: Literal["gated_low_rank"] = "gated_low_rank"

    rank: PositiveInt = 4
    """Inner width of the branch."""
    penalty: NonNegativeFloat = 0.01
    """Weight of each block's mean gate in the loss."""


class GatedLowRank(nn.Module):
    """x (B, T, D) becomes sigmoid(gate(x)) * up(down(x)); starts as zero."""

    def __init__(self, block: Block, config: GatedLowRankConfig) -> None:
        super().__init__()
        self.down = nn.Linear(block.width, config.rank, bias=False)
        self.up = nn.Linear(config.rank, block.width, bias=False)
        self.gate = nn.Linear(block.width, 1)
        nn.init.zeros_(self.up.weight)
        self.index, self.penalty = block.index, config.penalty
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(x).sigmoid()
        mean = gate.mean()
        if self.training and not recomputing():
            self.open = mean
            self.total, self.calls = self.total + mean.detach(), self.calls + 1
        return gate * self.up(self.down(x))

    def auxiliary_loss(self) -> Tensor:
        return self.penalty * self.open

    def figures(self) -> Figures:
        if not self.calls:
            return Figures()
        mean = float(self.total / self.calls)
        closed = (f"the gate of block {self.index} is closed",) if mean < 0.01 else ()
        return Figures({f"gated_low_rank/open/block_{self.index:02d}": mean}, warnings=closed)

    def train(self, mode: bool = True) -> "GatedLowRank":
        self.open = torch.zeros(())  # a tensor with a graph behind it could not be copied
        if mode:
            # tensors: a compiler would take every new number for a new program
            self.total, self.calls = torch.zeros(()), torch.zeros(())
        return super().train(mode)


def attach(place: Placement, config: GatedLowRankConfig) -> None:
    for block in place.blocks:
        branch = GatedLowRank(block, config)
        place.branch(block.site("mlp.in"), block.site("mlp.out"), branch)


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="gated_low_rank",
        config=GatedLowRankConfig,
        attach="gated_low_rank:attach",
        summary="a low-rank branch beside the MLP that opens for some tokens",
        needs=frozenset({"sequence"}),
    )
