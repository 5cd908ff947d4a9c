"""The libraries of experts: N small adapters of one kind, stacked.

Shapes: k blocks of b sub-tokens, each block for one expert; d width of a sub-token, r rank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay_smoa.dispatch import StackedLinear, grouped_linear
from onlay_smoa.dropout import Dropout


class AdaptFormerExperts(nn.Module):
    """up(dropout(ReLU(down(u)))), up at zero (AdaptFormer, Chen et al. 2022)."""

    def __init__(self, experts: int, width: int, rank: int, *, dropout: float, bias: bool) -> None:
        super().__init__()
        self.down = StackedLinear(experts, width, rank, bias=bias)
        self.up = StackedLinear(experts, rank, width, bias=bias)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.up.weight)

    def forward(self, u_kbd: Tensor, expert_k: Tensor) -> Tensor:
        h_kbr = self.down(u_kbd, expert_k).relu_()
        return self.up(self.dropout(h_kbr), expert_k)

    @staticmethod
    def count(width: int, rank: int, *, bias: bool) -> int:
        """Parameters of one expert."""
        return 2 * width * rank + (rank + width) * bias


class DaptExperts(nn.Module):
    """s * up(dropout(GELU(down(v)))) with v = LN(u) and s = ReLU(score(v)); up at zero (DAPT, Zhou
    et al. 2024)."""

    def __init__(self, experts: int, width: int, rank: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = StackedNorm(experts, width)
        self.score = StackedLinear(experts, width, 1)
        self.down = StackedLinear(experts, width, rank)
        self.up = StackedLinear(experts, rank, width)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.up.weight)

    def forward(self, u_kbd: Tensor, expert_k: Tensor) -> Tensor:
        # The norm's scale and shift go into the maps that read it: they are small, tokens are not.
        weight_Ndc = torch.cat([self.score.weight, self.down.weight], dim=-1)
        bias_Nc = torch.cat([self.score.bias, self.down.bias], dim=-1)
        bias_Nc = bias_Nc + (self.norm.bias.unsqueeze(1) @ weight_Ndc).squeeze(1)
        weight_Ndc = self.norm.weight.unsqueeze(-1) * weight_Ndc
        v_kbd = F.layer_norm(u_kbd, u_kbd.shape[-1:])
        c_kbc = grouped_linear(v_kbd, weight_Ndc, bias_Nc, expert_k)
        score_kb1, h_kbr = c_kbc.split([1, c_kbc.shape[-1] - 1], dim=-1)
        return score_kb1.relu() * self.up(self.dropout(F.gelu(h_kbr)), expert_k)

    @staticmethod
    def count(width: int, rank: int) -> int:
        """Parameters of one expert."""
        return 2 * width * rank + rank + width + 2 * width + width + 1


class StackedNorm(nn.Module):
    """Scale and shift of N layer norms, (N, d) each."""

    def __init__(self, experts: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(experts, width))
        self.bias = nn.Parameter(torch.zeros(experts, width))

    def no_weight_decay(self) -> set[str]:
        """Each expert's is a vector, though they are stacked."""
        return {"weight", "bias"}
