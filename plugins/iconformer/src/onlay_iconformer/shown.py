"""What `onlay inspect` shows of an adapter; computed only while it looks.

Shapes: B batch, T tokens, D width, d channels, k taps.
"""

from __future__ import annotations

import math

from torch import Tensor, nn


class Kernels(nn.Module):
    """The generated kernels, as d small pictures: (B, d, K, K), or one row of neighbours each."""

    pictured = "kernels"
    meaning = "Convolution kernels generated for this input, one for each channel of an adapter."

    def forward(self, kernels_Bdk: Tensor, grid: tuple[int, int] | None) -> Tensor:
        taps = kernels_Bdk.shape[-1]
        return kernels_Bdk.unflatten(-1, (math.isqrt(taps), -1) if grid else (1, taps))


class Change(nn.Module):
    """How much the adapter changes each token, relative to it, (B, T, 1)."""

    shown = "adapter's update"
    meaning = "The size of what this block's adapter adds to a token, as a share of the token's."

    def forward(self, added: Tensor, x: Tensor) -> Tensor:
        if not self._forward_hooks:
            return added
        return added.norm(dim=-1, keepdim=True) / x.norm(dim=-1, keepdim=True).clamp_min(1e-12)
