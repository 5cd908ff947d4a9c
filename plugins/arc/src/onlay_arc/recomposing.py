"""x + (x U diag(s)) U^T + b with a backward pass of its own, for training without dropout.

The gradient of x is one product added to what comes in, and those of U are formed as (r, D), which
BLAS libraries do faster than (D, r). Folding I + U diag(s) U^T into the frozen map W (O, D) at each
step would not pay: it costs 2 O D r, saves 2 M D r, and the gradient of U wants x U all the same
(`benchmarks/folding_in_training.py`).

Shapes: B batch, T tokens (or a map's height and width), M = B T rows, D width, r rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def plain(x_BTD: Tensor, U_Dr: Tensor, s_1r: Tensor, b_D: Tensor) -> Tensor:
    """The same, by what torch does."""
    return x_BTD + F.linear(x_BTD @ (U_Dr * s_1r), U_Dr, b_D)


def recomposed(x_BTD: Tensor, U_Dr: Tensor, s_1r: Tensor, b_D: Tensor) -> Tensor:
    """(B, T, D); a compiler finds a backward pass by itself, and transforms of functions need
    torch's."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return plain(x_BTD, U_Dr, s_1r, b_D)
    return _Recomposed.apply(x_BTD, U_Dr, s_1r, b_D)


class _Recomposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, U_Dr: Tensor, s_1r: Tensor, b_D: Tensor) -> Tensor:
        h = x @ U_Dr
        ctx.save_for_backward(x, U_Dr, s_1r, b_D, h)
        change = F.linear(h * s_1r.to(h.dtype), U_Dr, b_D)
        return change.add_(x) if change.dtype == x.dtype else x + change  # under autocast

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        *inputs, h = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants gradients of gradients
            return of_higher_order(inputs, ctx.needs_input_grad, g)
        x, U_Dr, s_1r, _ = inputs
        U_Dr, s_1r = U_Dr.to(h.dtype), s_1r.to(h.dtype)
        x_MD, h_Mr, g_MD = (t.flatten(0, -2).to(h.dtype) for t in (x, h, g))
        read_Mr = g_MD @ U_Dr
        back_Mr = read_Mr * s_1r
        d_U = (back_Mr.T @ x_MD).addmm_((h_Mr * s_1r).T, g_MD).T
        d_s = (h_Mr * read_Mr).sum(0, keepdim=True)
        d_x = stream(g, back_Mr, U_Dr) if ctx.needs_input_grad[0] else None
        return d_x, d_U, d_s, g.flatten(0, -2).sum(0)


def stream(g: Tensor, back_Mr: Tensor, U_Dr: Tensor) -> Tensor:
    """The gradient of x: g + back U^T."""
    if g.dtype == back_Mr.dtype:
        return torch.addmm(g.flatten(0, -2), back_Mr, U_Dr.T).view(g.shape)
    return g + (back_Mr @ U_Dr.T).view(g.shape)


def of_higher_order(inputs: Any, wanted: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients with a graph behind them."""
    chosen = [t for t, own in zip(inputs, wanted, strict=True) if own]
    found = iter(torch.autograd.grad(plain(*inputs), chosen, g, create_graph=True))
    return tuple(next(found) if own else None for own in wanted)
