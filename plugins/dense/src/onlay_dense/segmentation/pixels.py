"""How many pixels each class has.

Shapes: C classes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from onlay.data import targets_of
from onlay.tasks.class_maps import VOID


def pixels_of(part: Any, classes: int) -> Tensor:
    """In all masks of a part, void left out, int64 (C,)."""
    total_C = torch.zeros(classes, dtype=torch.long)
    for target in targets_of(part):
        own = torch.as_tensor(target).flatten().long()
        total_C += torch.bincount(own[own != VOID], minlength=classes)
    return total_C
