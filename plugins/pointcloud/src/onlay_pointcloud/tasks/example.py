"""Something small to learn for part segmentation, made out of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy

LABELS = ("mug 0", "mug 1", "rocket 0", "rocket 1")
CATEGORIES = {"mug": [0, 1], "rocket": [2, 3]}


def example(anatomy: Anatomy, batch: int) -> tuple[tuple[str, ...], Tensor, Tensor, dict[str, Any]]:
    """Labels, clouds (B, N, 4) of two categories in turn, parts (B, N), a category's first part
    below its centre, its second part above, and what such a data set tells of itself."""
    clouds_BN3 = anatomy.example(batch)[..., :3]
    category_B1 = torch.arange(batch, device=clouds_BN3.device).remainder(2).unsqueeze(1)
    above_BN = clouds_BN3[..., 2] > clouds_BN3[..., 2].mean(1, keepdim=True)
    column_BN1 = category_B1.expand_as(above_BN).unsqueeze(-1).to(clouds_BN3)
    inputs_BN4 = torch.cat([clouds_BN3, column_BN1], dim=-1)
    return LABELS, inputs_BN4, 2 * category_B1 + above_BN, {"categories": CATEGORIES}
