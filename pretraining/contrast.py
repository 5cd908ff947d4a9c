"""What both objectives ask of two views: to be known for views of one thing."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(z_VD: Tensor, temperature: float) -> Tensor:
    """NT-Xent (SimCLR, arXiv:2002.05709, eq. 1) where rows 2i and 2i + 1 are two views of one
    thing."""
    z_VD = F.normalize(z_VD.float(), dim=1)
    similarity_VV = (z_VD @ z_VD.T / temperature).fill_diagonal_(-math.inf)
    partner_V = torch.arange(len(z_VD), device=z_VD.device) ^ 1
    return F.cross_entropy(similarity_VV, partner_V)
