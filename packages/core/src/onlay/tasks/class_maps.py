"""How maps of classes are judged: by the confusion matrix of a whole data set, which is a sum of
whole numbers and so the same in batches of any size and over any number of processes.

Shapes: C classes, `...` the places of maps (B, H, W) or of clouds (B, N).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from onlay.errors import DataError
from onlay.reports import PERCENT, Measure

VOID = -1
"""The class number of a place that nobody has to name."""


def confusion(found: Tensor, true: Tensor, classes: int, void: int = VOID) -> Tensor:
    """Places (C, C) int64, true classes in rows, found ones in columns; void places are left out.

    Args:
        found: class numbers (...), or numbers (B, C, ...) of which the class with the largest is
            taken.
        true: class numbers (...), `void` where there is none.

    Raises:
        DataError: of different shapes, or a number that is no class.

    >>> confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 0, -1]), 2)
    tensor([[1, 1],
            [0, 0]])
    """
    found = found.argmax(1) if found.is_floating_point() else found
    if found.shape != true.shape:
        raise DataError(
            f"maps of classes {tuple(true.shape)} are compared with {tuple(found.shape)}: the"
            " shapes must be alike"
        )
    told = true != void
    found, true = found[told].long(), true[told].long()
    for numbers in (found, true):
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < classes:
            other = numbers[(numbers < 0) | (numbers >= classes)][0]
            raise DataError(f"a map holds {int(other)}, and the classes are 0 to {classes - 1}")
    return torch.bincount(true * classes + found, minlength=classes**2).reshape(classes, classes)


def intersections_over_unions(counts_CC: Tensor) -> Tensor:
    """The IoU of each class, float64 (C,); NaN of a class that is neither there nor found."""
    right_C, either_C = _right_and_either(counts_CC)
    return torch.where(either_C > 0, right_C / either_C.clamp(min=1), torch.nan)


def scores(counts_CC: Tensor, labels: Sequence[str]) -> dict[str, Tensor]:
    """`miou`, the mean over the classes that are there or found; `accuracy` of places;
    `mean_class`, the mean accuracy over the classes that are there; `fw_iou`, the mean of IoUs by
    how many places each class has; and `iou_NAME` of every class, NaN where it is neither there
    nor found. Where no place has a class the first four are 0.

    >>> found = scores(torch.tensor([[2, 1, 0], [0, 1, 0], [0, 0, 0]]), ["cat", "dog", "owl"])
    >>> round(found["miou"].item(), 4)  # cat 2 of 3, dog 1 of 2, no owl
    0.5833
    """
    right_C, _ = _right_and_either(counts_CC)
    there_C = counts_CC.double().sum(1)
    iou_C, places = intersections_over_unions(counts_CC), there_C.sum().clamp(min=1)
    recall_C = torch.where(there_C > 0, right_C / there_C.clamp(min=1), torch.nan)
    each = {f"iou_{label}": iou for label, iou in zip(labels, iou_C, strict=True)}
    return {
        "miou": iou_C.nanmean().nan_to_num(),
        "accuracy": right_C.sum() / places,
        "mean_class": recall_C.nanmean().nan_to_num(),
        "fw_iou": (there_C * iou_C.nan_to_num()).sum() / places,
        **each,
    }


def measures(labels: Sequence[str]) -> dict[str, Measure]:
    """How `scores` are read: as shares, whatever a class is called."""
    names = ("miou", "accuracy", "mean_class", "fw_iou", *(f"iou_{label}" for label in labels))
    return dict.fromkeys(names, PERCENT)


def _right_and_either(counts_CC: Tensor) -> tuple[Tensor, Tensor]:
    """Places (C,) that are rightly found, and those that are there or found."""
    counts_CC = counts_CC.double()
    right_C = counts_CC.diagonal()
    return right_C, counts_CC.sum(0) + counts_CC.sum(1) - right_C
