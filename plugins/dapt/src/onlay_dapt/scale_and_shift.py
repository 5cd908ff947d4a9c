"""Scale and shift of every channel (TFTS), without keeping what the backward pass can do without.

Shapes: any leading axes, D channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from onlay.anatomy import Affine

SMALLEST = 0.05
"""Below this |gamma| an input is not computed back from its output: rounding would show."""


class ScaleAndShift(nn.Module):
    """x becomes gamma * x + beta, gamma ~ N(1, 0.02), beta ~ N(0, 0.02).

    The gradient of gamma needs x. With `keeps_output` the output is kept instead and x computed
    back, which costs no memory where the reader of the output keeps that very tensor anyway:
    attention its q, k, v, GELU and a layer norm their input.
    """

    def __init__(self, width: int, *, keeps_output: bool = False) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))
        self.beta = nn.Parameter(torch.empty(width))
        nn.init.normal_(self.gamma, mean=1.0, std=0.02)
        nn.init.normal_(self.beta, std=0.02)
        self.keeps_output = keeps_output
        self._checked: tuple[tuple[int, int], bool] = ((0, 0), False)

    def forward(self, x: Tensor) -> Tensor:
        if self.keeps_output and self._trains_eagerly() and self._invertible():
            return _KeepsOutput.apply(x, self.gamma, self.beta)
        return scaled_and_shifted(x, self.gamma, self.beta)

    def affine(self) -> Affine:
        """The same in training and in evaluation."""
        return Affine(self.gamma, self.beta)

    def _trains_eagerly(self) -> bool:
        """A compiler chooses by itself what to keep and what to compute again."""
        eager = torch.is_grad_enabled() and not torch.compiler.is_compiling()
        return eager and self.gamma.requires_grad

    def _invertible(self) -> bool:
        """Looked at once for each value of gamma: on a GPU it waits for the queue."""
        value = self.gamma.data_ptr(), self.gamma._version
        if self._checked[0] != value:
            smallest = self.gamma.detach().abs().min()
            self._checked = value, bool(smallest > SMALLEST)
        return self._checked[1]


def scaled_and_shifted(x: Tensor, gamma_D: Tensor, beta_D: Tensor) -> Tensor:
    """In one pass; in the dtype of x also where parameters are wider (autocast)."""
    return torch.addcmul(beta_D, gamma_D, x).to(x.dtype)


class _KeepsOutput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma_D: Tensor, beta_D: Tensor) -> Tensor:
        y = scaled_and_shifted(x, gamma_D, beta_D)
        ctx.save_for_backward(y, gamma_D, beta_D)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:  # type: ignore[override]
        y, gamma_D, beta_D = ctx.saved_tensors
        wide = torch.promote_types(y.dtype, gamma_D.dtype)
        g_MD, y_MD = g.flatten(0, -2), y.flatten(0, -2)
        d_beta = g_MD.sum(0, dtype=wide)
        # sum(g x), x = (y - beta) / gamma, without a tensor x. A gamma that somebody has set to
        # nearly zero since the check gets no gradient rather than an infinite one.
        inverse = torch.where(gamma_D.abs() > SMALLEST / 2, 1 / gamma_D, 0)
        d_gamma = ((g_MD * y_MD).sum(0, dtype=wide) - beta_D * d_beta) * inverse
        d_x = (g * gamma_D.to(g.dtype)) if ctx.needs_input_grad[0] else None
        return d_x, d_gamma, d_beta
