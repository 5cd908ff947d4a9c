"""Something small to learn for segmentation, made out of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from onlay.tasks.class_maps import VOID

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy

LABELS = ("mug 0", "mug 1", "rocket 0", "rocket 1")
CLASSES = ("ground", "canopy", "wall")
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


def classes_example(
    anatomy: Anatomy, batch: int
) -> tuple[tuple[str, ...], Tensor, Tensor, dict[str, Any]]:
    """Labels, clouds (B, N, 3), classes (B, N), one below a cloud's centre, one above and a third
    at its side, every seventh point without, and how many points of each there are."""
    clouds_BN3 = anatomy.example(batch)[..., :3]
    middle_B13 = clouds_BN3.mean(1, keepdim=True)
    side_BN = clouds_BN3[..., 0] > 1.5 * middle_B13[..., 0].abs() + 0.1
    classes_BN = (clouds_BN3[..., 2] > middle_B13[..., 2]).long().masked_fill(side_BN, 2)
    counts = {name: int((classes_BN == n).sum()) for n, name in enumerate(CLASSES)}
    classes_BN[:, ::7] = VOID
    return CLASSES, clouds_BN3, classes_BN, {"points": {"train": counts}}
