"""How evenly a library is used, counted without waiting for a device.

Shapes: L blocks, N experts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from onlay.figures import Figures

COLLAPSED = 8
"""A library is said to collapse when fewer than one in so many experts are in effect, or fewer than
1.5."""


class Tally:
    """Sub-tokens by block and expert, and the balance losses, since it was last cleared."""

    def __init__(self, blocks: Sequence[int], experts: int, label: str, *, told: bool) -> None:
        self.blocks, self.experts = blocks, experts
        self.label, self.told = label, told
        self.counts_LN: Tensor | None = None
        self.balance_2: Tensor | None = None
        """Sum of the balance losses and their number: as a tensor, since a compiler would start
        again whenever a number changes."""

    def clear(self) -> None:
        self.counts_LN = self.balance_2 = None

    def add(self, row: int, counts_N: Tensor, balance: Tensor) -> None:
        """One call of one block."""
        if self.counts_LN is None or self.balance_2 is None:
            self.counts_LN = counts_N.new_zeros(len(self.blocks), self.experts)
            self.balance_2 = balance.new_zeros(2)
        self.counts_LN[row] += counts_N
        self.balance_2 += torch.stack([balance, torch.ones_like(balance)])

    def figures(self) -> Figures:
        """`smoa/share/expert_03`, `smoa/entropy/block_07` (1: even, 0: one expert),
        `smoa/balance`."""
        if self.counts_LN is None or self.balance_2 is None:
            return Figures({})
        counts_LN = self.counts_LN.cpu().double()
        share_N = counts_LN.sum(0) / counts_LN.sum()
        total, calls = self.balance_2.tolist()
        at, balance = f"smoa/{self.label}", total / calls
        values = {f"{at}share/expert_{i:02d}": float(s) for i, s in enumerate(share_N)}
        for block, counts_N in zip(self.blocks, counts_LN, strict=True):
            values[f"{at}entropy/block_{block:02d}"] = evenness(counts_N)
        values[f"{at}balance"] = balance
        in_effect = float(entropy(share_N).exp())
        return Figures(values, self._summary(balance, in_effect), self._warnings(in_effect))

    def _summary(self, balance: float, in_effect: float) -> str:
        where = self.label.replace("_", " ").replace("/", ": ")
        return f"{where}balance {balance:.3f}, {in_effect:.1f} experts" if self.told else ""

    def _warnings(self, in_effect: float) -> tuple[str, ...]:
        if self.experts == 1 or in_effect >= max(1.5, self.experts / COLLAPSED):
            return ()
        where = f" of {self.label[:-1].replace('_', ' ')}" if self.label else ""
        return (
            f"the library{where} collapses: {in_effect:.1f} of {self.experts} experts are in"
            " effect; raise `method.balance_weight` or set `method.jitter`",
        )


def entropy(weights_N: Tensor) -> Tensor:
    """In nats, of weights that need not sum to 1."""
    share_N = weights_N / weights_N.sum()
    return -torch.special.xlogy(share_N, share_N).sum()


def evenness(counts_N: Tensor) -> float:
    """Entropy over its maximum: 1 where all experts get the same, 0 where one gets everything."""
    if len(counts_N) == 1:
        return 1.0
    return float(entropy(counts_N) / torch.tensor(float(len(counts_N))).log())
