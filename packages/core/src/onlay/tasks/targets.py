"""Targets of a classification: a class number for each input, or probabilities of all classes.

Shapes: B batch, C classes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from onlay.errors import DataError

IGNORED = -100
"""The class number that torch's cross-entropy leaves out."""


def checked_targets(output: Tensor, targets: Any) -> Tensor:
    """Targets as torch's cross-entropy takes them, whatever kind of whole numbers they are.

    Raises:
        DataError: no tensor, of another shape than (B,) or (B, C), empty, or no class numbers.
    """
    if not isinstance(targets, Tensor):
        raise DataError(
            f"targets must be a tensor of class numbers (B,), not a `{type(targets).__name__}`"
        )
    if targets.is_floating_point() and targets.shape == output.shape:
        return targets  # probabilities
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        kind = str(targets.dtype).removeprefix("torch.")
        raise DataError(f"targets must be class numbers (B,) of a whole-number kind, not `{kind}`")
    if targets.shape != output.shape[:1]:
        raise DataError(
            f"{len(output)} inputs need targets ({len(output)},), and these are"
            f" {tuple(targets.shape)}"
        )
    _refuse_other_classes(output.shape[-1], targets)
    return targets.long()


def _refuse_other_classes(classes: int, targets: Tensor) -> None:
    """Where that costs nothing to see."""
    if torch.compiler.is_compiling() or targets.device.type != "cpu":
        return
    if not len(targets):
        raise DataError("an empty batch has no loss")
    for value in (int(targets.min()), int(targets.max())):
        if value != IGNORED and not 0 <= value < classes:
            raise DataError(f"a target is {value}, and the classes are 0 to {classes - 1}")


def one_hot(targets: Any, classes: int) -> Tensor:
    """Class indices (B,) as float32 (B, C).

    Raises:
        DataError: they are no class numbers, or one is to be left out (-100).
    """
    targets = checked_targets(torch.empty(len(targets), classes), targets)
    if targets.is_floating_point():
        return targets
    if (targets == IGNORED).any():
        raise DataError(f"inputs are mixed, and a target that is left out ({IGNORED}) has no share")
    return functional.one_hot(targets, classes).float()
