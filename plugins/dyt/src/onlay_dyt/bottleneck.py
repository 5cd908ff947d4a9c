"""The adapter beside a block's MLP, and its mixture of experts.

Shapes: B batch, T tokens, D width, d bottleneck, N experts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from onlay_dyt.config import DytConfig


class Experts(nn.Module):
    """s * up(dropout(ReLU(down(x)))) for every token, (B, T, D); 0 at the start.

    With several experts both layers are mixed for each input: alpha (B, N) from the mean of its
    tokens, down = sum_i alpha_i down_i, up likewise. That is not a mixture of their outputs.
    """

    unfoldable = "which tokens skip the MLP depends on the input"

    def __init__(self, width: int, config: DytConfig) -> None:
        super().__init__()
        count, inner = config.experts, config.bottleneck
        self.down = nn.Parameter(torch.empty(count, inner, width))
        self.down_bias = nn.Parameter(torch.zeros(count, inner))
        self.up = nn.Parameter(torch.zeros(count, width, inner))
        self.up_bias = nn.Parameter(torch.zeros(count, width))
        self.router = nn.Linear(width, count, bias=False) if count > 1 else None
        self.scale, self.softmax = config.scale, config.expert_gate == "softmax"
        self.dropout = nn.Dropout(config.dropout)
        for expert in self.down:
            nn.init.kaiming_uniform_(expert, a=math.sqrt(5))

    def no_weight_decay(self) -> set[str]:
        """Each expert's is a vector, though they are stacked."""
        return {"down_bias", "up_bias"}

    def forward(self, x: Tensor) -> Tensor:
        x_BTD = x.flatten(1, -2)
        if self.router is None:
            h = F.linear(x_BTD, self.down[0], self.down_bias[0])
            out = F.linear(self.dropout(h.relu()), self.up[0], self.up_bias[0])
        else:
            out = self._mixed(x_BTD, self.shares(x_BTD))
        return (self.scale * out).view(x.shape)

    def shares(self, x_BTD: Tensor) -> Tensor:
        """alpha (B, N)."""
        assert self.router is not None, "one expert has all of it"
        score_BN = self.router(x_BTD.mean(1))
        return score_BN.softmax(-1) if self.softmax else score_BN.sigmoid()

    def _mixed(self, x_BTD: Tensor, alpha_BN: Tensor) -> Tensor:
        def mixed(each: Tensor) -> Tensor:
            return torch.einsum("bn,n...->b...", alpha_BN, each)

        h = x_BTD @ mixed(self.down).mT + mixed(self.down_bias)[:, None]
        return self.dropout(h.relu()) @ mixed(self.up).mT + mixed(self.up_bias)[:, None]
