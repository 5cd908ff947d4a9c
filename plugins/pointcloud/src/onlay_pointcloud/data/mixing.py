"""Batches of clouds mixed with one another.

Shapes: B batch, N points, 3 + E columns, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cutmix(inputs_BNE: Tensor, targets_BC: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Rigid subsets, as in Lee et al., RSMix (CVPR 2021): of every cloud the k points nearest to
    one of its points, q, leave; the k nearest to a point p of the cloud before it come, moved by
    q - p as they are, neither bent nor scaled. The target is (N - k) / N its own.

    Ours: both neighbourhoods have k points, so that clouds keep their size, with k = (1 - λ) N
    rounded, λ from Beta(alpha, alpha), one for the batch. Further columns come with their points.
    """
    share = torch.distributions.Beta(alpha, alpha).sample()
    count = round((1 - share.item()) * inputs_BNE.shape[1])
    own, other = _queries(inputs_BNE), _queries(inputs_BNE)
    leaving_Bk, coming_Bk = (_nearest(inputs_BNE, q, count) for q in (own, other))
    cut = _rows(inputs_BNE, coming_Bk)
    cut[..., :3] -= other
    cut = cut.roll(1, 0)
    cut[..., :3] += own
    mixed = inputs_BNE.scatter(1, leaving_Bk[..., None].expand_as(cut), cut)
    part = count / inputs_BNE.shape[1]
    return mixed, targets_BC * (1 - part) + targets_BC.roll(1, 0) * part


def _queries(inputs_BNE: Tensor) -> Tensor:
    """The coordinates (B, 1, 3) of a point of each cloud, by chance."""
    batch, points = inputs_BNE.shape[:2]
    return _rows(inputs_BNE, torch.randint(points, (batch, 1)).to(inputs_BNE.device))[..., :3]


def _nearest(inputs_BNE: Tensor, query_B13: Tensor, count: int) -> Tensor:
    distances_BN = (inputs_BNE[..., :3] - query_B13).square().sum(-1)
    return distances_BN.topk(count, largest=False).indices


def _rows(inputs_BNE: Tensor, index_Bk: Tensor) -> Tensor:
    return inputs_BNE.gather(1, index_Bk[..., None].expand(-1, -1, inputs_BNE.shape[-1]))
