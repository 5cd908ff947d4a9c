"""Something small to learn for segmentation, made out of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onlay.tasks.class_maps import VOID

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy

LABELS = ("dark", "middle", "light")


def example(anatomy: Anatomy, batch: int) -> tuple[tuple[str, ...], Tensor, Tensor]:
    """Pictures (B, C, H, W) in cells of one brightness, which classes (B, H, W) tell apart; the
    upper row of pixels is void."""
    inputs_BCHW = anatomy.example(batch)
    height, width = inputs_BCHW.shape[-2:]
    down, across = torch.arange(height) * 2 // height, torch.arange(width) * 2 // width
    number_B11 = torch.arange(batch)[:, None, None]
    masks_BHW = (number_B11 + down[:, None] + 2 * across).remainder(len(LABELS))
    shades_BHW = (masks_BHW - 1).to(inputs_BCHW)
    masks_BHW[:, 0] = VOID
    return LABELS, 0.1 * inputs_BCHW + shades_BHW.unsqueeze(1), masks_BHW
