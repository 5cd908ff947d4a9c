"""What `onlay plugins check` tries the task on."""

import torch
from onlay.anatomy import Anatomy
from torch import Tensor

LABELS = ("cat", "dog", "sofa")


def example(anatomy: Anatomy, batch: int) -> tuple[tuple[str, ...], Tensor, Tensor]:
    """Names, inputs, and targets (B, C): input n shows classes n and n + 1, modulo 3."""
    first = torch.arange(batch)
    targets = torch.zeros(batch, len(LABELS))
    for shown in (first, first + 1):
        targets[first, shown % len(LABELS)] = 1
    inputs = anatomy.example(batch)
    return LABELS, inputs, targets.to(inputs)
