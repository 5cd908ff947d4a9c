"""Prompts made inside the network.

Shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PromptGenerator(nn.Module):
    """One token of what a block's mixture put out: gamma * mean over tokens + beta, (B, 1, D)."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.empty(width)), nn.Parameter(torch.empty(width))
        self.active = activation == "gelu"
        nn.init.normal_(self.gamma, mean=1.0, std=0.02)  # as DAPT starts its scales and shifts
        nn.init.normal_(self.beta, std=0.02)

    def forward(self, a_BTD: Tensor) -> Tensor:
        a_BTD = F.gelu(a_BTD) if self.active else a_BTD
        return self.gamma * a_BTD.mean(1, keepdim=True) + self.beta
