"""How much of an adapter's update each token gets, and how many tokens get any.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from onlay.figures import Figures
from onlay.recompute import recomputing

CLOSED = 0.01
"""A block is said to be closed when fewer than this share of the tokens get anything."""


class TokenScale(torch.nn.Module):
    """ReLU of a score, (B, T, 1); 0 leaves the token alone."""

    shown = "per-token scale"
    meaning = "What DAPT multiplies its update of each token by; 0 leaves the token alone."

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block
        self.train()

    def forward(self, score_BT1: Tensor) -> Tensor:
        scale_BT1 = F.relu(score_BT1)
        if self.training and not recomputing():
            self.reached = self.reached + (scale_BT1.detach() > 0).float().mean()
            self.calls = self.calls + 1
        return scale_BT1

    def train(self, mode: bool = True) -> TokenScale:
        if mode:  # tensors: a compiler would take every new number for a new program
            self.reached, self.calls = torch.zeros(()), torch.zeros(())
        return super().train(mode)

    def figures(self) -> Figures:
        """`dapt/reached/block_03`: the share of tokens whose scale is above 0."""
        if not self.calls:
            return Figures()
        share = float(self.reached / self.calls)
        closed = (
            f"the adapter of block {self.block} reaches {100 * share:.1f} % of the tokens,"
            " and behind a scale of 0 nothing is learnt; lower `train.lr`",
        )
        name = f"dapt/reached/block_{self.block:02d}"
        return Figures({name: share}, warnings=closed if share < CLOSED else ())
