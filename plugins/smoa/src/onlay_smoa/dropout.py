"""Dropout for wide bottlenecks.

A token's sub-tokens have h r bottleneck values where one dense adapter has r. On a CPU torch draws
a number for each, which would take longer than the experts' products; here one draw serves four.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VALUES = 2**16
"""On a CPU the rate is a multiple of 1 / 65,536."""


class Dropout(nn.Module):
    """`nn.Dropout`, faster on a CPU; draws from torch's generator."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return F.dropout(x, self.rate)
        return x * kept(x, self.rate)


def kept(x: Tensor, rate: float) -> Tensor:
    """0 where a value is dropped, else what keeps the mean; like `x`."""
    dropped = min(round(rate * VALUES), VALUES - 1)
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    values = draws.view(torch.int16)[: x.numel()].view(x.shape)
    return (values >= dropped - VALUES // 2).to(x.dtype).mul_(VALUES / (VALUES - dropped))
