"""What heads say of every input without a look at it, as scikit-learn's dummies do.

Shapes: B batch, N items, C classes, labels or numbers, `...` the places of a map or a cloud.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from onlay.batches import stacked
from onlay.task import Constant
from onlay.tasks.class_maps import VOID
from onlay.tasks.label_targets import known


def ranked(counts_C: Tensor) -> Tensor:
    """Logits (C,) that are the larger the more there is of a class; of equals the first wins.

    >>> ranked(torch.tensor([2, 5, 5]))
    tensor([-2.,  0., -1.])
    """
    order_C = counts_C.argsort(descending=True, stable=True)
    return torch.zeros(len(counts_C)).scatter(0, order_C, (-torch.arange(len(counts_C))).float())


def places_of(targets: Iterable[Any], classes: int) -> Tensor:
    """How many places of all maps or clouds have each class, void left out, int64 (C,)."""
    total_C = torch.zeros(classes, dtype=torch.long)
    for target in targets:
        own = torch.as_tensor(target).flatten().long()
        total_C += torch.bincount(own[own != VOID], minlength=classes)
    return total_C


def most_frequent(targets: Iterable[Any], classes: int) -> Constant:
    """Of class numbers, logits (B, C)."""
    classes_N = stacked(list(targets))
    logits_C = ranked(torch.bincount(classes_N[classes_N >= 0], minlength=classes))
    return Constant("most frequent class", lambda batch: logits_C.expand(len(batch), -1))


def frequencies(targets: Iterable[Any]) -> Constant:
    """Of labels (C,) that are there, absent or unknown: each as likely as it is frequent."""
    targets_NC = stacked([torch.as_tensor(target) for target in targets])
    told_NC = known(targets_NC)
    share_C = targets_NC.where(told_NC, 0).float().sum(0) / told_NC.sum(0).clamp(min=1)
    logits_C = share_C.logit(1e-6)
    return Constant("frequency of each label", lambda batch: logits_C.expand(len(batch), -1))


def middle(targets: Iterable[Any], *, median: bool) -> Constant:
    """Of numbers (C,) or single ones: their median, which absolute errors ask for, or their mean,
    which squared ones do."""
    rows = [torch.as_tensor(target, dtype=torch.float64).reshape(-1) for target in targets]
    values_NC = torch.stack(rows)
    found_C = values_NC.quantile(0.5, 0) if median else values_NC.mean(0)
    what = "median of training" if median else "mean of training"
    return Constant(what, lambda batch: found_C.float().expand(len(batch), -1))
