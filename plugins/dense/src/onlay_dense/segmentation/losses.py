"""Losses of maps of classes, in float32, in which void pixels have no part.

Shapes: B batch, C classes, H and W pixels.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from onlay.errors import DataError
from onlay.tasks.class_maps import VOID


def pixel_loss(
    logits_BCHW: Tensor, targets_BHW: Tensor, weights_C: Tensor | None, gamma: float
) -> Tensor:
    """The weighted mean of (1 - p)^gamma · -log p over labelled pixels, p the probability of a
    pixel's class: cross-entropy at gamma 0. 0 where no pixel has a class."""
    told_BHW = targets_BHW != VOID
    index_B1HW = targets_BHW.clamp(min=0).unsqueeze(1)
    log_p_BHW = logits_BCHW.float().log_softmax(1).gather(1, index_B1HW).squeeze(1)
    each_BHW = -log_p_BHW
    if gamma:
        each_BHW = (1 - log_p_BHW.exp()).clamp(min=1e-7) ** gamma * each_BHW
    weight_BHW = pixel_weights(targets_BHW, weights_C)
    return (each_BHW * weight_BHW).where(told_BHW, 0).sum() / _or_one(weight_BHW.sum())


def pixel_weights(targets_BHW: Tensor, weights_C: Tensor | None) -> Tensor:
    """What each pixel counts, float32 (B, H, W): the weight of its class, 0 for void."""
    told_BHW = (targets_BHW != VOID).float()
    if weights_C is None:
        return told_BHW
    return told_BHW * weights_C.float().to(targets_BHW.device)[targets_BHW.clamp(min=0).long()]


def dice_loss(logits_BCHW: Tensor, targets_BHW: Tensor) -> Tensor:
    """1 - soft Dice of each class over the batch, as segmentation-models-pytorch has it: the mean
    over all classes, of which those that the batch does not have add 0."""
    return _dice()(logits_BCHW.float(), targets_BHW)


@cache
def _dice() -> Any:
    from segmentation_models_pytorch.losses import DiceLoss  # takes seconds, and few want it

    return DiceLoss("multiclass", ignore_index=VOID)


def checked_masks(logits_BCHW: Tensor, targets: Any) -> Tensor:
    """Targets as int64 (B, H, W).

    Raises:
        DataError: no tensor, of another shape or kind, or a number that is no class.
    """
    if not isinstance(targets, Tensor) or targets.is_floating_point():
        kind = targets.dtype if isinstance(targets, Tensor) else type(targets).__name__
        raise DataError(f"targets must be class numbers (B, H, W), -1 for void, not `{kind}`")
    wanted = (len(logits_BCHW), *logits_BCHW.shape[2:])
    if targets.shape != wanted:
        raise DataError(f"the outputs need masks {wanted}, and these are {tuple(targets.shape)}")
    if targets.device.type == "cpu" and not torch.compiler.is_compiling() and targets.numel():
        classes = logits_BCHW.shape[1]
        for value in (int(targets.min()), int(targets.max())):
            if not VOID <= value < classes:
                raise DataError(
                    f"a mask holds {value}, and the classes are 0 to {classes - 1}, -1 for void"
                )
    return targets.long()


def _or_one(weight: Tensor) -> Tensor:
    return torch.where(weight > 0, weight, 1)
