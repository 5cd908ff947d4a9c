"""Something small to learn for each task, made out of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from onlay.tasks.several.named import joined_labels

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


def several(
    anatomy: Anatomy, batch: int
) -> tuple[tuple[str, ...], Tensor, dict[str, Tensor], dict[str, Any]]:
    """A class and two numbers, any inputs, targets (B,) and (B, 2)."""
    _, inputs, numbers_B2 = numbers(anatomy, batch)
    classes_B = torch.arange(batch) % len(LABELS)
    counts = {label: 1 + n for n, label in enumerate(LABELS)}
    labels = joined_labels({"class": LABELS, "numbers": NUMBERS})
    facts = {"several": {"class": {"counts": {"train": counts}}}}
    return labels, inputs, {"class": classes_B, "numbers": numbers_B2}, facts
