"""Depthwise convolution with kernels of their own for each input.

Shapes: B batch, d channels, H and W a map, K side of a kernel, k taps, G groups of a cloud.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def on_map(z_BHWd: Tensor, kernels_Bdk: Tensor) -> Tensor:
    """y[b, :, :, c] = z[b, :, :, c] * kernel[b, c], zeros around the map; like `z`.

    Cross-correlation, as torch's convolutions; taps row by row.
    """
    if torch.compiler.is_compiling() or not z_BHWd.numel():
        return shifted(z_BHWd, kernels_Bdk)
    return grouped(z_BHWd, kernels_Bdk)


def grouped(z_BHWd: Tensor, kernels_Bdk: Tensor) -> Tensor:
    """One convolution of B d groups: the batch moves into the channels.

    Channels stay last in memory: that moves rows of d numbers and suits the kernels of CPUs.
    """
    B, H, W, d = z_BHWd.shape
    side = round(kernels_Bdk.shape[-1] ** 0.5)
    weight = kernels_Bdk.reshape(B * d, 1, side, side)
    map_1HWC = z_BHWd.permute(1, 2, 0, 3).reshape(1, H, W, B * d)
    y_1CHW = F.conv2d(map_1HWC.permute(0, 3, 1, 2), weight, padding=side // 2, groups=B * d)
    return y_1CHW.permute(0, 2, 3, 1).reshape(H, W, B, d).permute(2, 0, 1, 3)


def shifted(z_BHWd: Tensor, kernels_Bdk: Tensor) -> Tensor:
    """A sum of shifted maps; nothing in it depends on the batch, as exported programs need."""
    side = round(kernels_Bdk.shape[-1] ** 0.5)
    height, width = z_BHWd.shape[1:3]
    half = side // 2
    padded = F.pad(z_BHWd, (0, 0, half, half, half, half))
    taps_Bkd = kernels_Bdk.transpose(1, 2)
    y_BHWd = torch.zeros_like(z_BHWd)
    for tap in range(side * side):
        row, column = divmod(tap, side)
        part = padded[:, row : row + height, column : column + width]
        y_BHWd = torch.addcmul(y_BHWd, part, taps_Bkd[:, tap, None, None])
    return y_BHWd


def on_points(z_BGd: Tensor, kernels_Bdk: Tensor, nearest_BGk: Tensor) -> Tensor:
    """y[b, g, c] = sum over j of kernel[b, c, j] z[b, nearest[b, g, j], c]; like `z`."""
    B, G, k = nearest_BGk.shape
    rows = nearest_BGk.reshape(B, G * k, 1).expand(-1, -1, z_BGd.shape[-1])
    near_BGkd = z_BGd.gather(1, rows).unflatten(1, (G, k))
    return (near_BGkd * kernels_Bdk.transpose(1, 2).unsqueeze(1)).sum(2)


def nearest_centres(centres_BG3: Tensor, neighbours: int) -> Tensor:
    """Indices of each group's nearest centres, itself first, (B, G, k); of equal distances the
    lower index."""
    centres_BG3 = centres_BG3.float()  # there is none for half precision
    apart_BGG3 = centres_BG3.unsqueeze(2) - centres_BG3.unsqueeze(1)
    distance_BGG = apart_BGG3.square().sum(-1)  # squared: ONNX has no `cdist`
    own = torch.eye(centres_BG3.shape[1], dtype=torch.bool, device=centres_BG3.device)
    distance_BGG = distance_BGG.masked_fill(own, -1.0)
    if torch.compiler.is_compiling():  # a program may become ONNX, whose sorting is stable anyway
        return distance_BGG.sort(dim=-1).indices[..., :neighbours]
    return distance_BGG.sort(dim=-1, stable=True).indices[..., :neighbours]
