"""Losses of a class for each point.

Shapes: M points that have a class, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from onlay.errors import DataError
from onlay.tasks.class_maps import VOID

if TYPE_CHECKING:
    from onlay_pointcloud.tasks.config import PointSegmentationConfig


def told(logits: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Of logits (..., C) and classes (...) those of the points that have one, (M, C) and (M,).

    Raises:
        DataError: of different shapes, or a number that is neither a class nor -1.
    """
    if classes.shape != logits.shape[:-1]:
        raise DataError(
            f"clouds of {tuple(logits.shape[:-1])} points need as many classes, and these are"
            f" {tuple(classes.shape)}"
        )
    known = classes != VOID
    classes_M = classes[known].long()
    if classes_M.device.type == "cpu" and len(classes_M):
        for value in (int(classes_M.min()), int(classes_M.max())):
            if not 0 <= value < logits.shape[-1]:
                raise DataError(
                    f"a point has the class {value}, and they are 0 to {logits.shape[-1] - 1}, or"
                    f" {VOID} for none"
                )
    return logits[known].float(), classes_M


def summed(
    config: PointSegmentationConfig, logits_MC: Tensor, classes_M: Tensor, weights_C: Tensor
) -> Tensor:
    """The weighted sum over points of cross-entropy, or of what `focal` makes of it."""
    each_M = F.cross_entropy(logits_MC, classes_M, reduction="none")
    if config.loss == "focal":
        each_M = each_M * (1 - torch.exp(-each_M)) ** config.gamma
    return (each_M * weights_C[classes_M]).sum()


def dice(logits_MC: Tensor, classes_M: Tensor) -> Tensor:
    """1 minus the mean, over the classes that the batch has, of Dice's overlap of probabilities
    (Milletari et al. 2016): 2 Σ p t / (Σ p + Σ t)."""
    shares_MC = logits_MC.softmax(-1)
    true_MC = F.one_hot(classes_M, logits_MC.shape[-1]).to(shares_MC.dtype)
    both_C = (shares_MC * true_MC).sum(0)
    there_C = true_MC.sum(0)
    overlap_C = 2 * both_C / (shares_MC.sum(0) + there_C).clamp(min=1e-6)
    return 1 - overlap_C[there_C > 0].mean()
