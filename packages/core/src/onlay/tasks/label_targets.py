"""Targets of several labels: 1 has it, 0 has it not, between them a share, -1 or NaN unknown.

Shapes: B batch, C labels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from onlay.errors import DataError


def known(targets: Tensor) -> Tensor:
    """Which of them are known; in their shape."""
    return targets >= 0  # not so of NaN


def checked_labels(output: Tensor, targets: Any) -> Tensor:
    """Targets as the losses take them, float (B, C), NaN where unknown.

    Raises:
        DataError: no tensor, of another shape, or other numbers.
    """
    if not isinstance(targets, Tensor):
        raise DataError(
            f"targets must be a tensor (B, labels) of 1, 0 and -1, not a `{type(targets).__name__}`"
        )
    if targets.shape != output.shape:
        hint = (
            ": one class for each input is for task `classification`" if targets.ndim == 1 else ""
        )
        raise DataError(
            f"outputs {tuple(output.shape)} need targets of that shape, and these are"
            f" {tuple(targets.shape)}{hint}"
        )
    targets = targets.float()
    if not torch.compiler.is_compiling() and targets.device.type == "cpu":
        odd = targets[(targets > 1) | ((targets < 0) & (targets != -1))]
        if len(odd):
            raise DataError(f"a target is {odd[0]:g}: labels are 1, 0, or -1 where unknown")
    return targets.where(known(targets), torch.nan)
