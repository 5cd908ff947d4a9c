"""Two pieces of the adapter that keep little for the backward pass and compute the rest again.

Shapes: B batch, T tokens, D width, r rank, O outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def trains_eagerly() -> bool:
    """Whether to keep little by hand; a compiler chooses by itself, and without gradients nothing
    is kept."""
    return torch.is_grad_enabled() and not torch.compiler.is_compiling()


def normed_linear(z_BTD: Tensor, norm: nn.LayerNorm, weight_OD: Tensor, bias_O: Tensor) -> Tensor:
    """linear(norm(z)), (B, T, O); of the tensors of width D only z is kept."""
    if trains_eagerly():
        return _NormedLinear.apply(z_BTD, norm.weight, norm.bias, weight_OD, bias_O, norm.eps)
    return F.linear(norm(z_BTD), weight_OD, bias_O)


def scaled_linear(m_BTr: Tensor, scale_BT1: Tensor, weight_Dr: Tensor, bias_D: Tensor) -> Tensor:
    """scale * linear(m), (B, T, D); no tensor of width D is kept."""
    if trains_eagerly():
        return _ScaledLinear.apply(m_BTr, scale_BT1, weight_Dr, bias_D)
    return scale_BT1 * F.linear(m_BTr, weight_Dr, bias_D)


class _NormedLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, norm_D: Tensor, shift_D: Tensor, weight_OD: Tensor, bias_O: Tensor,
        eps: float,
    ) -> Tensor:  # fmt: skip
        u, mean, rstd = torch.native_layer_norm(z, norm_D.shape, norm_D, shift_D, eps)
        ctx.save_for_backward(z, norm_D, shift_D, weight_OD, mean, rstd)
        ctx.eps = eps
        return F.linear(u, weight_OD, bias_O)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        z, norm_D, shift_D, weight_OD, mean, rstd = ctx.saved_tensors
        z = z.to(torch.promote_types(z.dtype, norm_D.dtype))  # as autocast does for norms
        u = torch.native_layer_norm(z, norm_D.shape, norm_D, shift_D, ctx.eps)[0]
        g_MO = g.flatten(0, -2)
        d_weight = g_MO.T @ u.flatten(0, -2).to(g.dtype)
        d_u = (g @ weight_OD.to(g.dtype)).to(z.dtype)
        d_z, d_norm, d_shift = torch.ops.aten.native_layer_norm_backward(
            d_u, z, norm_D.shape, mean, rstd, norm_D, shift_D, [True, True, True]
        )
        return d_z, d_norm, d_shift, d_weight, g_MO.sum(0), None


class _ScaledLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, m: Tensor, scale: Tensor, weight_Dr: Tensor, bias_D: Tensor) -> Tensor:
        ctx.save_for_backward(m, scale, weight_Dr, bias_D)
        return F.linear(m, weight_Dr, bias_D).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        m, scale, weight_Dr, bias_D = (t.to(g.dtype) for t in ctx.saved_tensors)
        read_BTr = g @ weight_Dr
        d_scale = (read_BTr * m).sum(-1, keepdim=True) + (g @ bias_D).unsqueeze(-1)
        g_MD, scale_M1 = g.flatten(0, -2), scale.flatten(0, -2)
        d_weight = g_MD.T @ (m.flatten(0, -2) * scale_M1)
        return read_BTr * scale, d_scale, d_weight, g_MD.T @ scale_M1.squeeze(-1)
