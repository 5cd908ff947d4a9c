"""Nearest neighbours, and interpolation between them.

Shapes: B batch, N points, G centres, K neighbours, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.errors import DataError


@torch.no_grad()
def k_nearest(points_BN3: Tensor, centres_BG3: Tensor, k: int) -> Tensor:
    """Indices (B, G, K) of the points nearest to each centre, in no particular order.

    Differences are taken before they are squared: `torch.cdist`'s usual expansion confuses
    neighbours in clouds that lie far from the origin.

    Raises:
        DataError: fewer points than neighbours.
    """
    if k > points_BN3.shape[1]:
        raise DataError(
            f"{k} neighbours were asked of clouds of {points_BN3.shape[1]} points;"
            " set a smaller `group_size` or take larger clouds"
        )
    return _distances(centres_BG3, points_BN3).topk(k, largest=False, sorted=False).indices


def interpolate(points_BN3: Tensor, centres_BG3: Tensor, values_BGD: Tensor) -> Tensor:
    """Values (B, N, D) at points: the three nearest centres, weighted by inverse squared distance.

    As PointNet++ propagates features (Qi et al. 2017, section 3.4), 1e-8 added to squares.
    """
    count = min(3, centres_BG3.shape[1])
    with torch.no_grad():
        distances_BNG = _distances(points_BN3, centres_BG3)
        squared, index_BN3 = distances_BNG.square().topk(count, largest=False)
        weights = 1 / (squared + 1e-8)
        weights = weights / weights.sum(-1, keepdim=True)
        # a matrix with three numbers in each row: its product needs less than rows taken and summed
        weights_BNG = torch.zeros_like(distances_BNG).scatter_(-1, index_BN3, weights)
    return weights_BNG.to(values_BGD.dtype) @ values_BGD


def _distances(a_BN3: Tensor, b_BM3: Tensor) -> Tensor:
    with torch.autocast(a_BN3.device.type, enabled=False):
        a_BN3, b_BM3 = a_BN3.float(), b_BM3.float()
        if torch.compiler.is_compiling():  # a program may become ONNX, which has no `cdist`
            return (a_BN3.unsqueeze(2) - b_BM3.unsqueeze(1)).square().sum(-1).sqrt()
        return torch.cdist(a_BN3, b_BM3, compute_mode="donot_use_mm_for_euclid_dist")
