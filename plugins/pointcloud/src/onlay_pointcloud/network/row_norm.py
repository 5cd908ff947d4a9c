"""Batch norm of rows (M, C) whose statistics are exact on a CPU, too.

There torch adds up the rows of such a tensor one after the other in float32: over the 65,536 points
of a batch a mean is off by 3e-5, and what is normalised with it by a hundred times its rounding.
`Tensor.sum` adds in a tree.

Shapes: M rows, m rows of a piece that stays in a cache, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

PIECE = 2**18
"""Numbers of a piece: 1 MB."""


class RowNorm(nn.BatchNorm1d):
    """`BatchNorm1d`, with its tensors and their names."""

    def forward(self, input: Tensor) -> Tensor:
        x_MC = input
        if not self.training or x_MC.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(x_MC)
        if len(x_MC) < 2:
            return super().forward(x_MC)  # says that one row has no deviation
        wide_MC = x_MC.to(torch.promote_types(x_MC.dtype, torch.float32))
        y_MC, mean_C, variance_C = _Normed.apply(wide_MC, self.weight, self.bias, self.eps)
        self._move_statistics(mean_C, variance_C, len(x_MC))
        return y_MC.to(x_MC.dtype)

    @torch.no_grad()
    def _move_statistics(self, mean_C: Tensor, variance_C: Tensor, rows: int) -> None:
        """As torch does: by `momentum`, or to the mean over all batches where that is none."""
        if (
            self.num_batches_tracked is None
            or self.running_mean is None
            or self.running_var is None
        ):
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1 / float(self.num_batches_tracked)
        unbiased_C = variance_C * (rows / (rows - 1))
        for running_C, new_C in ((self.running_mean, mean_C), (self.running_var, unbiased_C)):
            running_C.lerp_(new_C.to(running_C), share)


class _Normed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_MC: Tensor, weight_C: Tensor, bias_C: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean_C = x_MC.sum(0) / len(x_MC)
        squares = [(x_mC - mean_C).square_().sum(0) for (x_mC,) in _pieces(x_MC)]
        variance_C = torch.stack(squares).sum(0) / len(x_MC)
        inverse_C = (variance_C + eps).rsqrt()
        ctx.save_for_backward(x_MC, weight_C, mean_C, inverse_C)
        ctx.mark_non_differentiable(mean_C, variance_C)
        scale_C = weight_C * inverse_C
        y_MC = torch.addcmul(bias_C - mean_C * scale_C, x_MC, scale_C)
        return y_MC, mean_C, variance_C

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_MC: Tensor, *_: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x_MC, weight_C, mean_C, inverse_C = ctx.saved_tensors
        products = [((x - mean_C) * g).sum(0) for x, g in _pieces(x_MC, g_MC)]
        d_weight_C, d_bias_C = torch.stack(products).sum(0) * inverse_C, g_MC.sum(0)
        d_x_MC = None
        if ctx.needs_input_grad[0]:
            scale_C, d_x_MC = weight_C * inverse_C, torch.empty_like(x_MC)
            along_C, level_C = -inverse_C * d_weight_C / len(x_MC), d_bias_C / len(x_MC)
            for x, g, out in _pieces(x_MC, g_MC, d_x_MC):
                torch.addcmul(g - level_C, x - mean_C, along_C, out=out).mul_(scale_C)
        return d_x_MC, d_weight_C, d_bias_C, None


def _pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    rows = max(1, PIECE // tensors[0].shape[1])
    return zip(*(tensor.split(rows) for tensor in tensors), strict=True)
