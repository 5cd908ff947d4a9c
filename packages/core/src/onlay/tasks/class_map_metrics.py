"""The metric of maps of classes; needs `torchmetrics`, which `onlay-train` brings.

Shapes: C classes, `...` the places of maps (B, H, W) or of clouds (B, N).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from onlay.tasks.class_maps import VOID, confusion, scores


class ClassMaps(Metric):
    """What `onlay.tasks.class_maps.scores` has, of everything that was seen, by name; of classes
    that are neither there nor found nothing is said.

    In a `MetricCollection` each of these names is a metric of its own.

    >>> found = ClassMaps(["cat", "dog"])
    >>> found.update(torch.tensor([[0, 1], [1, 1]]), torch.tensor([[0, 0], [1, -1]]))
    >>> told = found.compute()
    >>> [round(told[name].item(), 4) for name in ("miou", "accuracy", "iou_cat", "iou_dog")]
    [0.5, 0.6667, 0.5, 0.5]
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    counts_CC: Tensor

    def __init__(self, labels: Sequence[str], void: int = VOID) -> None:
        super().__init__()
        self.labels, self.void = tuple(labels), void
        counts_CC = torch.zeros(len(labels), len(labels), dtype=torch.long)
        self.add_state("counts_CC", counts_CC, dist_reduce_fx="sum")

    def update(self, found: Tensor, true: Tensor) -> None:
        """Class numbers (...) or numbers (B, C, ...), and true class numbers (...)."""
        self.counts_CC += confusion(found, true, len(self.labels), self.void)

    def compute(self) -> dict[str, Tensor]:
        counts_CC = self.counts_CC.cpu()  # in double precision, which not every device has
        found = scores(counts_CC, self.labels)
        return {name: value for name, value in found.items() if not value.isnan()}
