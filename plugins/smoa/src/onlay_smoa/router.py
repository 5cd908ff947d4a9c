"""Which expert a sub-token goes to: cosine routing with one winner.

Shapes: n sub-tokens, d their width, N experts, e query width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Routing(NamedTuple):
    """What the router decided."""

    expert_n: Tensor
    """Index of the winner; of equal ones the first."""
    gate_n: Tensor
    """Its probability, or 1, through which the router learns from the task."""
    cosine_Nn: Tensor
    """What the balance loss is made of."""


class Router(nn.Module):
    """softmax(cos(q, e) / tau) over the experts' embeddings e, with q = W u, in float32 at least.

    Sub-tokens are the last axis inside: softmax and maximum over 16 rows are then plain loops over
    contiguous memory.
    """

    def __init__(
        self,
        width: int,
        experts: int,
        query_width: int,
        *,
        normalize_query: bool,
        temperature: float,
        learn_temperature: bool = True,
        jitter: float,
        whole_gate: bool = False,
    ) -> None:
        super().__init__()
        self.query = nn.Linear(width, query_width, bias=False)
        self.embeddings = nn.Parameter(torch.empty(experts, query_width))
        log_temperature = torch.tensor(temperature).log()
        if learn_temperature:
            self.log_temperature: Tensor = nn.Parameter(log_temperature)
        else:
            self.register_buffer("log_temperature", log_temperature, persistent=False)
        self.normalize_query, self.jitter = normalize_query, jitter
        self.whole_gate = whole_gate
        nn.init.xavier_uniform_(self.query.weight)
        nn.init.orthogonal_(self.embeddings, gain=0.32)  # the scale is X-MoE's code's

    def forward(self, u_nd: Tensor) -> Routing:
        with torch.autocast(u_nd.device.type, enabled=False):
            cosine_Nn = self._cosine(_wide(u_nd))
            logits_Nn = cosine_Nn * (-_wide(self.log_temperature)).exp()
            gate_n, expert_n = logits_Nn.softmax(0).max(0)
            if self.whole_gate:
                gate_n = gate_n / gate_n.detach()
            return Routing(expert_n, gate_n, cosine_Nn)

    def _cosine(self, u_nd: Tensor) -> Tensor:
        if self.training and self.jitter:
            u_nd = u_nd * torch.empty_like(u_nd).uniform_(1 - self.jitter, 1 + self.jitter)
        q_ne = F.linear(u_nd, _wide(self.query.weight))
        cosine_Nn = F.normalize(_wide(self.embeddings), dim=-1) @ q_ne.T
        if self.normalize_query:
            cosine_Nn = cosine_Nn * q_ne.square().sum(1).clamp_min(1e-12).rsqrt()
        return cosine_Nn


def balance_loss(cosine_Nn: Tensor, share_N: Tensor, temperature: float) -> Tensor:
    """N * sum of f P: 1 where either is even, N where one expert gets everything for sure.

    X-MoE, equations 8 and 9. f: `share_N`, of the sub-tokens that an expert got, without gradient;
    P: its mean probability.
    """
    probability_N = (cosine_Nn / temperature).softmax(0).mean(1)
    return len(share_N) * (share_N * probability_N).sum()


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
