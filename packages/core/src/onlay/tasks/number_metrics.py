"""Metrics of numbers, in their own unit; need `torchmetrics`, which `onlay-train` brings.

Shapes: B batch, C numbers, W parts of the data, M moments.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric

Kind = Literal["mae", "rmse", "r2"]

MOMENTS = 5
"""The count; the mean and the sum of squares around it of the numbers; the sums of the absolute and
of the squared errors."""
ALIKE = 2.0**-40
"""Numbers that deviate by a smaller share of their mean are all alike: floats of 32 bits that are
not lie further apart."""


class ErrorOfNumbers(Metric):
    """`mae`, `rmse` or `r2` of each number, and their mean, as scikit-learn has it; or of the one
    at `place`. `r2` of numbers that are all alike is 1 where all are met, else 0.

    Sums are of numbers divided by `scale`, so that they stay small; squares are summed around the
    mean, since those of numbers that are far from 0 would hide how these differ (Chan et al. 1979).

    >>> r2 = ErrorOfNumbers("r2", torch.ones(1))
    >>> r2.update(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[1.0], [2.0], [3.0]]))
    >>> r2.compute()  # 1 - 1 / 2
    tensor(0.5000)
    """

    is_differentiable = False
    full_state_update = False
    scale_C: Tensor
    moments_2MC: Tensor

    def __init__(self, kind: Kind, scale_C: Tensor, place: int | None = None) -> None:
        super().__init__()
        self.kind, self.place = kind, place
        self.register_buffer("scale_C", scale_C.detach().cpu().float(), persistent=False)
        start = torch.zeros(2, MOMENTS, len(scale_C))
        self.add_state("moments_2MC", start, dist_reduce_fx=_over_processes)

    def update(self, output_BC: Tensor, targets_BC: Tensor) -> None:
        if len(targets_BC):
            targets_BC = targets_BC.reshape(output_BC.shape)  # of a single number they may be flat
            own_MC = _moments(*(_double(x) for x in (output_BC, targets_BC, self.scale_C)))
            both_WMC = torch.stack([_whole(self.moments_2MC), own_MC])
            self.moments_2MC = _halves(_merged(both_WMC), self.moments_2MC)

    def compute(self) -> Tensor:
        each_C = self.each()
        return each_C.mean() if self.place is None else each_C[self.place]

    def each(self) -> Tensor:
        """Of every number, (C,)."""
        count_C, mean_C, spread_C, absolute_C, squared_C = _whole(self.moments_2MC)
        count_C, scale_C = count_C.clamp(min=1), _double(self.scale_C)
        if self.kind == "mae":
            found_C = absolute_C / count_C * scale_C
        elif self.kind == "rmse":
            found_C = (squared_C / count_C).sqrt() * scale_C
        else:
            alike_C = spread_C <= count_C * (ALIKE * mean_C).square()
            found_C = 1 - squared_C / spread_C.where(~alike_C, 1.0)
            met_C = (squared_C == 0).double().where(~squared_C.isnan(), torch.nan)
            found_C = found_C.where(~alike_C, met_C)
        return found_C.float().to(self.moments_2MC.device)


def _moments(output_BC: Tensor, targets_BC: Tensor, scale_C: Tensor) -> Tensor:
    """Of one batch, (M, C)."""
    error_BC, wanted_BC = (output_BC - targets_BC) / scale_C, targets_BC / scale_C
    mean_C = wanted_BC.mean(0)
    return torch.stack(
        [
            torch.full_like(mean_C, len(targets_BC)),
            mean_C,
            (wanted_BC - mean_C).square().sum(0),
            error_BC.abs().sum(0),
            error_BC.square().sum(0),
        ]
    )


def _merged(parts_WMC: Tensor) -> Tensor:
    """Of all parts together, (M, C)."""
    count_WC, mean_WC, spread_WC, *sums = parts_WMC.unbind(1)
    count_C = count_WC.sum(0)
    mean_C = (count_WC * mean_WC).sum(0) / count_C.clamp(min=1)
    between_C = (count_WC * (mean_WC - mean_C).square()).sum(0)
    return torch.stack([count_C, mean_C, spread_WC.sum(0) + between_C, *(x.sum(0) for x in sums)])


def _over_processes(states_W2MC: Tensor) -> Tensor:
    """What torchmetrics makes of the states of all processes."""
    parts_WMC = torch.stack([_whole(state_2MC) for state_2MC in states_W2MC])
    return _halves(_merged(parts_WMC), states_W2MC)


def _double(values: Tensor) -> Tensor:
    """On the CPU where a device has no doubles."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _whole(halves_2MC: Tensor) -> Tensor:
    return _double(halves_2MC).sum(0)


def _halves(moments_MC: Tensor, like: Tensor) -> Tensor:
    """The floats nearest to the moments and what they are short of, on the device of `like`: not
    every one has doubles."""
    nearest_MC = moments_MC.float()
    rest_MC = (moments_MC - nearest_MC.double()).float()
    return torch.stack([nearest_MC, rest_MC]).to(like.device)
