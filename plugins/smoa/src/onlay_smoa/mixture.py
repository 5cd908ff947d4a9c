"""The Sharing Mixture of Adapters, and a block's place in it.

Shapes: B batch, T tokens (or a map's height and width), D width, h sub-tokens of a token, d = D / h
their width, n = B T h sub-tokens, N experts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from onlay.figures import Figures
from onlay.recompute import recomputing
from onlay_smoa.dispatch import Dispatch
from onlay_smoa.router import Router, balance_loss
from onlay_smoa.tally import Tally


class Mixed(NamedTuple):
    """What the mixture gives for one block's tokens."""

    output: Tensor
    """Like the input."""
    expert: Tensor
    """(B, T, h), which expert each sub-token went to."""
    balance: Tensor | None
    """The balance loss of this call, while training."""


class SparseMixture(nn.Module):
    """Router and experts; one object for all blocks that share it."""

    def __init__(
        self,
        router: Router,
        experts: nn.Module,
        *,
        width: int,
        scale: float,
        balance_temperature: float,
        tally: Tally,
    ) -> None:
        super().__init__()
        self.router, self.experts = router, experts
        self.width, self.scale, self.balance_temperature = width, scale, balance_temperature
        self.tally = tally

    def forward(self, z: Tensor, row: int) -> Mixed:
        """Split into sub-tokens, route, adapt, gate, merge; `row` is the block's in the tally."""
        u_nd = z.reshape(-1, self.width)
        routing = self.router(u_nd)
        way = Dispatch(routing.expert_n, len(self.router.embeddings))
        y_kbd = self.experts(way.spread(u_nd), way.expert_k)
        output = way.collect(y_kbd, routing.gate_n * self.scale).view(z.shape)
        expert = routing.expert_n.view(*z.shape[:-1], -1)
        if not self.training:
            return Mixed(output, expert, None)
        share_N = way.counts_N.to(routing.cosine_Nn.dtype) / len(u_nd)
        balance = balance_loss(routing.cosine_Nn, share_N, self.balance_temperature)
        if not recomputing():
            self.tally.add(row, way.counts_N, balance.detach())
        return Mixed(output, expert, balance)

    def train(self, mode: bool = True) -> SparseMixture:
        if mode:
            self.tally.clear()
        return super().train(mode)

    def figures(self) -> Figures:
        """Shares, entropies and the balance loss since training mode was entered."""
        return self.tally.figures()


class Choice(nn.Module):
    """Which expert each sub-token chose, (B, T, h), for `onlay inspect`."""

    shown = "expert"
    meaning = "Which expert (small adapter) of the library each part of a token was sent to."

    def __init__(self, categories: int) -> None:
        super().__init__()
        self.categories = categories

    def forward(self, expert: Tensor) -> Tensor:
        return expert


class RoutedAdapter(nn.Module):
    """One block's use of the mixture; it carries the balance loss from the forward pass to the
    loss."""

    unfoldable = "which expert a token goes to depends on the input"

    def __init__(self, mixture: SparseMixture, row: int, *, balance_share: float) -> None:
        super().__init__()
        self.mixture, self.row, self.balance_share = mixture, row, balance_share
        self.choice = Choice(len(mixture.router.embeddings))
        self.pending = Pending()

    def forward(self, z: Tensor) -> Tensor:
        mixed = self.mixture(z, self.row)
        self.choice(mixed.expert)
        # A forward pass that is repeated within the backward pass has its loss behind it.
        self.pending.value = None if recomputing() else mixed.balance
        return mixed.output

    def auxiliary_loss(self) -> Tensor:
        """The block's part of the balance loss of the last forward pass, once; 0 in evaluation."""
        balance, self.pending.value = self.pending.value, None
        if balance is None:
            return torch.zeros((), device=self.mixture.router.embeddings.device)
        return self.balance_share * balance


class Pending:
    """A tensor of the current step; copies of a model start without."""

    def __init__(self) -> None:
        self.value: Tensor | None = None

    def __reduce__(self) -> tuple[type[Pending], tuple[()]]:
        return Pending, ()
