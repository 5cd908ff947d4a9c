"""The input-conditioned network: from the feature of one input to the kernels of its convolution.

Shapes: B batch, d channels of the bottleneck, S tokens of the map or cloud, k taps (K K, or the
neighbours), H and W the map.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LinearGenerator(nn.Module):
    """k(b) = W mean(z) + c."""

    def __init__(self, rank: int, taps: int) -> None:
        super().__init__()
        self.kernels = nn.Linear(rank, rank * taps)
        self.shape = rank, taps

    def forward(self, z_BSd: Tensor, grid: tuple[int, int] | None) -> Tensor:
        return self.kernels(z_BSd.mean(1)).unflatten(1, self.shape)

    @staticmethod
    def count(rank: int, taps: int) -> int:
        return rank * rank * taps + rank * taps


class SeGenerator(nn.Module):
    """Squeeze and excite: the mean, a quarter as wide, ReLU, kernels (DDF-Net's channel branch)."""

    def __init__(self, rank: int, taps: int) -> None:
        super().__init__()
        hidden = squeezed(rank)
        self.squeeze, self.kernels = nn.Linear(rank, hidden), nn.Linear(hidden, rank * taps)
        self.shape = rank, taps

    def forward(self, z_BSd: Tensor, grid: tuple[int, int] | None) -> Tensor:
        return self.kernels(self.squeeze(z_BSd.mean(1)).relu()).unflatten(1, self.shape)

    @staticmethod
    def count(rank: int, taps: int) -> int:
        hidden = squeezed(rank)
        return rank * hidden + hidden + hidden * rank * taps + rank * taps


class ConvPoolGenerator(nn.Module):
    """A 3 x 3 convolution of the map, pooled to K x K."""

    def __init__(self, rank: int, taps: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(rank, rank, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(math.isqrt(taps))

    def forward(self, z_BSd: Tensor, grid: tuple[int, int] | None) -> Tensor:
        assert grid is not None, "a cloud has no map"
        map_BdHW = z_BSd.transpose(1, 2).unflatten(2, grid)
        return self.pool(self.convolution(map_BdHW)).flatten(2)

    @staticmethod
    def count(rank: int, taps: int) -> int:
        return 9 * rank * rank + rank


class StaticKernels(nn.Module):
    """The same kernels for every input, started like those of a depthwise convolution."""

    def __init__(self, rank: int, taps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rank, taps))
        bound = taps**-0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, z_BSd: Tensor, grid: tuple[int, int] | None) -> Tensor:
        return self.weight.expand(z_BSd.shape[0], -1, -1)

    @staticmethod
    def count(rank: int, taps: int) -> int:
        return rank * taps


class FilterNorm(nn.Module):
    """The taps of each kernel centred, over their deviation, times learnt numbers; in float32."""

    def __init__(self, rank: int, taps: int) -> None:
        super().__init__()
        self.deviation = nn.Parameter(torch.empty(rank, taps))
        nn.init.normal_(self.deviation, std=math.sqrt(2 / taps))  # ReLU's gain over K

    def forward(self, kernels_Bdk: Tensor) -> Tensor:
        with torch.autocast(kernels_Bdk.device.type, enabled=False):
            wide = kernels_Bdk.to(torch.promote_types(kernels_Bdk.dtype, torch.float32))
            centred = wide - wide.mean(-1, keepdim=True)
            # `std`, because its gradient is 0 where all taps are equal; that of a root is not.
            spread = wide.std(-1, keepdim=True, correction=0)
            normed = centred / (spread + 1e-6) * self.deviation
        return normed.to(kernels_Bdk.dtype)

    @staticmethod
    def count(rank: int, taps: int) -> int:
        return rank * taps


class KernelBound(nn.Module):
    """Kernels whose taps sum to more than 1, signs aside, over that sum; the others as they are."""

    def forward(self, kernels_Bdk: Tensor) -> Tensor:
        return kernels_Bdk / kernels_Bdk.abs().sum(-1, keepdim=True).clamp_min(1)


GENERATORS: dict[str, type[LinearGenerator | SeGenerator | ConvPoolGenerator | StaticKernels]] = {
    "linear": LinearGenerator,
    "conv_pool": ConvPoolGenerator,
    "se": SeGenerator,
    "static": StaticKernels,
}


def squeezed(rank: int) -> int:
    return max(1, rank // 4)
