"""The mean of the classes' accuracies; needs `torchmetrics`, which `onlay-train` brings.

Shapes: B batch, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from onlay.tasks.targets import IGNORED


class MeanOfClasses(Metric):
    """Over the classes that occur among the targets, each counted alike: scikit-learn's
    `balanced_accuracy_score`, without targets that are left out (-100). A class that is only found
    where it is not counts against the others.

    >>> mean = MeanOfClasses(3)
    >>> mean.update(torch.eye(3)[[0, 2, 1]], torch.tensor([0, 0, 1]))
    >>> mean.compute()  # class 0: 1 of 2, class 1: 1 of 1, no class 2
    tensor(0.7500)
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    right_C: Tensor
    seen_C: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.add_state("right_C", torch.zeros(classes, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("seen_C", torch.zeros(classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, logits_BC: Tensor, targets_B: Tensor) -> None:
        kept_B = targets_B != IGNORED
        logits_BC, targets_B = logits_BC[kept_B], targets_B[kept_B]
        right_B = targets_B[logits_BC.argmax(-1) == targets_B]
        self.right_C += torch.bincount(right_B, minlength=len(self.right_C))
        self.seen_C += torch.bincount(targets_B, minlength=len(self.seen_C))

    def compute(self) -> Tensor:
        met_C = self.seen_C > 0
        return (self.right_C[met_C] / self.seen_C[met_C]).mean()
