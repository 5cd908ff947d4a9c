"""Metrics of several labels; need `torchmetrics`, which `onlay-train` brings.

Shapes: B batch, N inputs, C labels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_average_precision
from torchmetrics.utilities import dim_zero_cat

from onlay.tasks.label_targets import known


class MeanAveragePrecision(Metric):
    """The mean of the labels' average precisions (scikit-learn's `average_precision_score`), over
    the labels that an input has; 0 where there are none.

    >>> found = MeanAveragePrecision(2)
    >>> logits = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    >>> found.update(logits, torch.tensor([[1, 0], [0, 0], [1, -1]]))
    >>> found.compute()  # (1/1 + 2/3) / 2, and no second label
    tensor(0.8333)
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    scores: list[Tensor]
    truths: list[Tensor]

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.labels = labels
        for name in ("scores", "truths"):  # flat: a process may have seen nothing
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, logits_BC: Tensor, targets_BC: Tensor) -> None:
        self.scores.append(logits_BC.detach().float().flatten())
        self.truths.append(targets_BC.float().flatten())

    def compute(self) -> Tensor:
        found_C = self.each()
        met = found_C[~found_C.isnan()]
        return met.mean() if len(met) else torch.zeros((), device=self.device)

    def each(self) -> Tensor:
        """The average precision of each label, (C,); NaN where no input has it."""
        scores_NC = dim_zero_cat(self.scores).reshape(-1, self.labels)
        truths_NC = dim_zero_cat(self.truths).reshape(-1, self.labels)
        return torch.stack(
            [_precision(s, t) for s, t in zip(scores_NC.T, truths_NC.T, strict=True)]
        )


def _precision(scores_N: Tensor, truths_N: Tensor) -> Tensor:
    told = known(truths_N)
    scores_N, truths_N = scores_N[told], truths_N[told] >= 0.5
    if not truths_N.any():
        return scores_N.new_tensor(torch.nan)
    # by their order alone: large logits have one and the same sigmoid, and would seem to be ties
    ranks_N = scores_N.cpu().unique(return_inverse=True)[1].double()
    found = binary_average_precision(ranks_N / len(ranks_N), truths_N.long().cpu())
    return found.to(scores_N)


class F1(Metric):
    """2 right / (found + there): `macro`, the mean over the labels that an input has; `micro`, of
    all labels together. What is unknown is left out.

    >>> f1 = F1(2, 0.5, "macro")
    >>> logits = torch.tensor([[2.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> f1.update(logits, torch.tensor([[1, 0], [0, 0], [1, 0]]))
    >>> f1.compute()  # first label: 1 right, 2 found, 2 there; nobody has the second
    tensor(0.5000)
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    right_C: Tensor
    found_C: Tensor
    there_C: Tensor

    def __init__(self, labels: int, threshold: float, over: Literal["macro", "micro"]) -> None:
        super().__init__()
        self.over, self.threshold = over, threshold
        for name in ("right_C", "found_C", "there_C"):
            self.add_state(name, torch.zeros(labels, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, logits_BC: Tensor, targets_BC: Tensor) -> None:
        told_BC = known(targets_BC)
        found_BC = told_BC & (logits_BC.float().sigmoid() >= self.threshold)
        there_BC = told_BC & (targets_BC >= 0.5)
        self.right_C += (found_BC & there_BC).sum(0)
        self.found_C += found_BC.sum(0)
        self.there_C += there_BC.sum(0)

    def compute(self) -> Tensor:
        right, found, there = self.right_C, self.found_C, self.there_C
        if self.over == "micro":
            right, found, there = right.sum(), found.sum(), there.sum()
            return 2 * right / (found + there).clamp(min=1)
        met_C = there > 0
        each_C = 2 * right / (found + there).clamp(min=1)
        return each_C[met_C].mean() if met_C.any() else each_C.new_zeros(())
