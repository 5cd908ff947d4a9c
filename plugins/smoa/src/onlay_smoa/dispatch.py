"""Sub-tokens sorted by expert, in blocks of one length: all experts are one batched product.

Every expert's part is padded to whole blocks: at most N more than there would be. Shapes depend on
the number of sub-tokens alone, nothing waits for a device, memory grows with n.

Shapes: n sub-tokens, m = k b padded rows in k blocks of b rows, d and c widths, N experts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

BLOCK = 128
"""Rows of a block; see `benchmarks/routing.py`."""


class Dispatch:
    """The way of every sub-token to its expert and back."""

    def __init__(self, expert_n: Tensor, experts: int, block: int = BLOCK) -> None:
        own = {"device": expert_n.device}
        n = expert_n.shape[0]  # an exported program takes `len` for a constant
        sorted_n, order_n = torch.sort(expert_n, stable=True)
        ends_N = torch.searchsorted(sorted_n, torch.arange(experts, **own), right=True)
        self.counts_N = ends_N.diff(prepend=ends_N.new_zeros(1))
        padded_N = (self.counts_N + block - 1) // block
        block_ends_N = padded_N.cumsum(0)
        blocks = n // block + experts
        shift_N = (block_ends_N - padded_N) * block - (ends_N - self.counts_N)
        place_n = torch.arange(n, **own) + shift_N.index_select(0, sorted_n)
        self.slot_n = torch.empty_like(place_n).scatter_(0, order_n, place_n)
        """The padded row of a sub-token."""
        self.source_kb = place_n.new_zeros(blocks, block)
        """The sub-token of a padded row; padding repeats the first, and nobody reads it."""
        self.source_m = self.source_kb.view(-1).scatter_(0, place_n, order_n)
        self.filled_m = torch.zeros(blocks * block, **own).index_fill_(0, place_n, 1.0)
        block_k = torch.arange(blocks, **own)
        found_k = torch.searchsorted(block_ends_N, block_k, right=True)
        self.expert_k = found_k.clamp_(max=experts - 1)
        """The expert of a block."""

    def spread(self, u_nd: Tensor) -> Tensor:
        """Sub-tokens at their experts, (k, b, d)."""
        return _Spread.apply(u_nd, self.source_kb, self.slot_n)

    def collect(self, y_kbd: Tensor, gate_n: Tensor) -> Tensor:
        """Back in their order, each times its gate, (n, d)."""
        rows_md = y_kbd.flatten(0, 1)
        return _Collect.apply(rows_md, gate_n, self.source_m, self.slot_n, self.filled_m)


class StackedLinear(nn.Module):
    """N linear maps in one tensor, so that an expert without sub-tokens has zero gradients, not
    none; weight (N, d, c), bias (N, c)."""

    def __init__(self, experts: int, width: int, out: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, width, out))
        self.bias: Any = nn.Parameter(torch.zeros(experts, out)) if bias else None
        bound = width**-0.5  # that of `nn.Linear`, for each expert
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x_kbd: Tensor, expert_k: Tensor) -> Tensor:
        return grouped_linear(x_kbd, self.weight, self.bias, expert_k)


def grouped_linear(
    x_kbd: Tensor, weight_Ndc: Tensor, bias_Nc: Tensor | None, expert_k: Tensor
) -> Tensor:
    """Every block times its expert's matrix, (k, b, c)."""
    weight_kdc = weight_Ndc.index_select(0, expert_k)
    if bias_Nc is None:
        return torch.bmm(x_kbd, weight_kdc)
    return torch.baddbmm(bias_Nc.index_select(0, expert_k).unsqueeze(1), x_kbd, weight_kdc)


class _Spread(torch.autograd.Function):
    """Rows by index; autograd would add gradients up by index, where reading them is enough."""

    @staticmethod
    def forward(ctx: Any, u_nd: Tensor, source_kb: Tensor, slot_n: Tensor) -> Tensor:
        ctx.save_for_backward(slot_n)
        return F.embedding(source_kb, u_nd)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_kbd: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (slot_n,) = ctx.saved_tensors
        return g_kbd.flatten(0, 1).index_select(0, slot_n), None, None


class _Collect(torch.autograd.Function):
    """Rows by index times their gates; padding gets no gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        y_md: Tensor,
        gate_n: Tensor,
        source_m: Tensor,
        slot_n: Tensor,
        filled_m: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(y_md, gate_n, source_m, slot_n, filled_m)
        return y_md.index_select(0, slot_n).mul_(gate_n.to(y_md.dtype).unsqueeze(1))

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, g_nd: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None]:
        y_md, gate_n, source_m, slot_n, filled_m = ctx.saved_tensors
        g_md = g_nd.to(y_md.dtype).index_select(0, source_m)
        gate_grad_n = (g_md * y_md).sum(1, dtype=gate_n.dtype).index_select(0, slot_n)
        gate_m = gate_n.index_select(0, source_m) * filled_m.to(gate_n.dtype)
        return g_md.mul_(gate_m.to(g_md.dtype).unsqueeze(1)), gate_grad_n, None, None, None
