"""Metrics of numbers, in their own unit; need `torchmetrics`, which `onlay-train` brings.

Shapes: B batch, C numbers.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric

Kind = Literal["mae", "rmse", "r2"]


class ErrorOfNumbers(Metric):
    """`mae`, `rmse` or `r2` of each number, and their mean, as scikit-learn has it; or of the one
    at `place`. `r2` of numbers that are all alike is 1 where all are met, else 0.

    Sums are of `(number - offset) / scale`, so that they stay small.

    >>> r2 = ErrorOfNumbers("r2", torch.zeros(1), torch.ones(1))
    >>> r2.update(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[1.0], [2.0], [3.0]]))
    >>> r2.compute()  # 1 - 1 / 2
    tensor(0.5000)
    """

    is_differentiable = False
    full_state_update = False
    offset_C: Tensor
    scale_C: Tensor
    count: Tensor
    absolute_C: Tensor
    squared_C: Tensor
    sum_C: Tensor
    square_C: Tensor

    def __init__(
        self, kind: Kind, offset_C: Tensor, scale_C: Tensor, place: int | None = None
    ) -> None:
        super().__init__()
        self.kind, self.place = kind, place
        self.register_buffer("offset_C", offset_C.detach().cpu().float(), persistent=False)
        self.register_buffer("scale_C", scale_C.detach().cpu().float(), persistent=False)
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")
        for name in ("absolute_C", "squared_C", "sum_C", "square_C"):
            self.add_state(name, torch.zeros(len(offset_C)), dist_reduce_fx="sum")

    def update(self, output_BC: Tensor, targets_BC: Tensor) -> None:
        wanted_BC = (targets_BC.float() - self.offset_C) / self.scale_C
        error_BC = (output_BC.float() - targets_BC.float()) / self.scale_C
        self.count += len(targets_BC)
        self.absolute_C += error_BC.abs().sum(0)
        self.squared_C += error_BC.square().sum(0)
        self.sum_C += wanted_BC.sum(0)
        self.square_C += wanted_BC.square().sum(0)

    def compute(self) -> Tensor:
        each_C = self.each()
        return each_C.mean() if self.place is None else each_C[self.place]

    def each(self) -> Tensor:
        """Of every number, (C,)."""
        count = self.count.clamp(min=1)
        if self.kind == "mae":
            return self.absolute_C / count * self.scale_C
        if self.kind == "rmse":
            return (self.squared_C / count).sqrt() * self.scale_C
        spread_C = self.square_C - self.sum_C.square() / count
        alike_C = spread_C <= 1e-6 * self.square_C.clamp(min=1e-12)
        found_C = 1 - self.squared_C / spread_C.where(~alike_C, 1.0)
        return found_C.where(~alike_C, (self.squared_C == 0).float())
