"""Batches of pictures mixed with one another, as torchvision does it.

Shapes: B batch, K channels, H and W pixels, C classes.
"""

from __future__ import annotations

from torch import Tensor
from torchvision.transforms import v2


def mixup(inputs_BKHW: Tensor, targets_BC: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Zhang et al., mixup (ICLR 2018): every picture is λ of itself and 1 - λ of the one before it,
    λ from Beta(alpha, alpha), one for the batch."""
    return v2.MixUp(alpha=alpha)(inputs_BKHW, targets_BC)


def cutmix(inputs_BKHW: Tensor, targets_BC: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Yun et al., CutMix (ICCV 2019): a box of the picture before it takes its place, and as much
    of the target as the box covers of the picture."""
    return v2.CutMix(alpha=alpha)(inputs_BKHW, targets_BC)
