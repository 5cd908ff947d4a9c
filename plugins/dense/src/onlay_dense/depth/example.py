"""Something small to learn for `depth`, made out of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy


def example(anatomy: Anatomy, batch: int) -> tuple[tuple[str, ...], Tensor, Tensor]:
    """Any pictures, depths (B, H, W) from 0.5 to 3.5 that grow downwards, each picture's farther,
    and a hole at the top left."""
    inputs = anatomy.example(batch)
    down_H1 = torch.linspace(0.5, 2.0, inputs.shape[-2])[:, None]
    farther_B11 = torch.linspace(0.0, 1.5, batch)[:, None, None]
    depth_BHW = (down_H1 + farther_B11).expand(-1, -1, inputs.shape[-1]).clone()
    depth_BHW[:, 0, 0] = 0
    return ("depth",), inputs, depth_BHW
