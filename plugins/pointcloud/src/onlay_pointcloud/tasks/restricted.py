"""The likeliest part of each point among the parts of one category.

Shapes: B batch, N points, C parts.
"""

from __future__ import annotations

import torch
from torch import Tensor


def in_category(logits_BNC: Tensor, category_B: Tensor, category_of_part_C: Tensor) -> Tensor:
    """Parts (B, N), chosen for each cloud among those of its category."""
    foreign_BC = category_of_part_C != category_B.unsqueeze(1)
    return logits_BNC.masked_fill(foreign_BC.unsqueeze(1), -torch.inf).argmax(-1)
