"""Something small to learn for each task, made out of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy

LABELS = ("large", "odd", "small")
NUMBERS = ("age", "height")


def several_labels(anatomy: Anatomy, batch: int) -> tuple[tuple[str, ...], Tensor, Tensor]:
    """Three labels, any inputs, targets (B, 3); whether the first one is small is unknown."""
    number_B = torch.arange(batch)
    large_B = number_B >= batch // 2
    targets_B3 = torch.stack([large_B, number_B % 2 == 1, ~large_B], 1).long()
    targets_B3[0, 2] = -1
    return LABELS, anatomy.example(batch), targets_B3


def numbers(anatomy: Anatomy, batch: int) -> tuple[tuple[str, ...], Tensor, Tensor]:
    """Two numbers of different sizes, any inputs, targets (B, 2)."""
    number_B = torch.arange(batch, dtype=torch.float32)
    return NUMBERS, anatomy.example(batch), torch.stack([100 + 10 * number_B, 2 - number_B], 1)
