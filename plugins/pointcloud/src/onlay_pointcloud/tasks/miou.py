"""ShapeNetPart's metrics (Yi et al. 2016); need `torchmetrics`, which `onlay-train` brings.

Shapes: B batch, N points, C parts, K categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from onlay_pointcloud.tasks.restricted import in_category


class _OfParts(Metric):
    """A cloud's category is that of its first point's true part; only its parts are candidates."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    category_of_part: Tensor

    def __init__(self, category_of_part: Sequence[int]) -> None:
        super().__init__()
        categories = torch.tensor(list(category_of_part))
        self.register_buffer("category_of_part", categories, persistent=False)

    def chosen(self, logits_BNC: Tensor, targets_BN: Tensor) -> tuple[Tensor, Tensor]:
        """Categories (B,) and chosen parts (B, N)."""
        category_B = self.category_of_part[targets_BN[:, 0]]
        return category_B, in_category(logits_BNC, category_B, self.category_of_part)


class MeanIoU(_OfParts):
    """Mean over the parts of its category for each cloud; then the mean over clouds
    (`instances`), or over the means of categories of which there are clouds (`categories`).

    A part that is neither in a cloud nor found in it counts 1.

    >>> half = MeanIoU([0, 0], over="instances")
    >>> half.update(torch.tensor([[[9.0, 0.0], [9.0, 0.0]]]), torch.tensor([[0, 1]]))
    >>> half.compute()  # part 0: 1 of 2 points, part 1: 0 of 1
    tensor(0.2500)
    """

    total_K: Tensor
    clouds_K: Tensor

    def __init__(
        self, category_of_part: Sequence[int], *, over: Literal["instances", "categories"]
    ) -> None:
        super().__init__(category_of_part)
        self.over = over
        zeros_K = torch.zeros(max(category_of_part) + 1)
        self.add_state("total_K", zeros_K, dist_reduce_fx="sum")
        self.add_state("clouds_K", zeros_K.clone(), dist_reduce_fx="sum")

    def update(self, logits_BNC: Tensor, targets_BN: Tensor) -> None:
        category_B, chosen_BN = self.chosen(logits_BNC, targets_BN)
        own_BC = self.category_of_part == category_B.unsqueeze(1)
        each_BC = _iou(chosen_BN, targets_BN, len(self.category_of_part))
        mean_B = (each_BC * own_BC).sum(1) / own_BC.sum(1)
        which_BK = F.one_hot(category_B, len(self.total_K)).to(self.total_K.dtype)
        self.total_K += mean_B @ which_BK
        self.clouds_K += which_BK.sum(0)

    def compute(self) -> Tensor:
        if self.over == "instances":
            return self.total_K.sum() / self.clouds_K.sum()
        met_K = self.clouds_K > 0
        return (self.total_K[met_K] / self.clouds_K[met_K]).mean()


class PointAccuracy(_OfParts):
    """The share of all points that get their part."""

    right: Tensor
    points: Tensor

    def __init__(self, category_of_part: Sequence[int]) -> None:
        super().__init__(category_of_part)
        self.add_state("right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("points", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits_BNC: Tensor, targets_BN: Tensor) -> None:
        _, chosen_BN = self.chosen(logits_BNC, targets_BN)
        self.right += (chosen_BN == targets_BN).sum()
        self.points += targets_BN.numel()

    def compute(self) -> Tensor:
        return self.right / self.points


def _iou(chosen_BN: Tensor, targets_BN: Tensor, parts: int) -> Tensor:
    """Intersection over union (B, C) of every part; 1 where it is in neither."""
    chosen_BNC, targets_BNC = (F.one_hot(x, parts).bool() for x in (chosen_BN, targets_BN))
    both_BC = (chosen_BNC & targets_BNC).sum(1).float()
    either_BC = (chosen_BNC | targets_BNC).sum(1).float()
    return torch.where(either_BC == 0, 1.0, both_BC / either_BC.clamp(min=1))
