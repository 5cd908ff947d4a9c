"""Metrics of depth maps (Eigen et al. 2014), of each picture and then averaged over pictures; need
`torchmetrics`, which `onlay-train` brings.

Shapes: B batch, H and W pixels, P pixels of a picture, K metrics.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from onlay.machine.notes import note
from onlay_dense.depth.valid import Crop, checked_depths, judged, known

AVERAGED = (
    *("delta1", "delta2", "delta3", "abs_rel", "sq_rel"),
    *("rmse", "rmse_log", "log10", "silog"),
)
"""Of each picture, then the mean over pictures."""

NAMES = (*AVERAGED, "rmse_pooled", "left_out")
"""With t told and g true: `delta1` to `delta3`, the share of pixels whose max(t/g, g/t) is below
1.25, its square, its cube; `abs_rel`, mean |t - g| / g; `sq_rel`, mean (t - g)² / g; `rmse`, the
root of mean (t - g)²; `rmse_log`, likewise of natural logarithms; `log10`, mean |log10 t - log10
g|; `silog`, 100 times the deviation of ln t - ln g; all these of each picture, averaged.
`rmse_pooled` is the root of the mean over the pixels of all pictures. `left_out` counts pictures
without a valid pixel, which no other metric sees."""


class DepthErrors(Metric):
    """All `NAMES`, of pixels whose true depth is between `low` and `high`, in the `crop`; told
    depths beyond these two are taken for them.

    >>> metric = DepthErrors(low=0.001, high=10.0)
    >>> metric.update(torch.tensor([[[2.0, 3.0]]]), torch.tensor([[[1.0, 0.0]]]))  # 0 is a hole
    >>> metric.compute()["abs_rel"]
    tensor(1.)
    """

    is_differentiable = False
    full_state_update = False
    totals_2K: Tensor
    squares_2: Tensor
    counts_3: Tensor

    def __init__(self, *, low: float, high: float, crop: Crop = "none") -> None:
        super().__init__()
        self.low, self.high, self.crop = low, high, crop
        # in two halves each, since not every device has doubles: the float nearest to the sum, and
        # what it is short of
        self.add_state("totals_2K", torch.zeros(2, len(AVERAGED)), dist_reduce_fx="sum")
        self.add_state("squares_2", torch.zeros(2), dist_reduce_fx="sum")
        self.add_state("counts_3", torch.zeros(3, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, output_BHW: Tensor, targets_BHW: Tensor) -> None:
        targets_BHW = checked_depths(output_BHW, targets_BHW)
        pairs = zip(_double(output_BHW), _double(targets_BHW), strict=True)
        for told_HW, true_HW in pairs:
            told_HW, true_HW = judged(told_HW, true_HW, self.crop)
            valid_HW = known(true_HW, self.low, self.high)
            if valid_HW.any():
                self._add(told_HW[valid_HW].clamp(self.low, self.high), true_HW[valid_HW])
            else:
                self.counts_3[2] += 1

    def _add(self, told_P: Tensor, true_P: Tensor) -> None:
        self.totals_2K = _with(self.totals_2K, of_picture(told_P, true_P))
        self.squares_2 = _with(self.squares_2, (told_P - true_P).square().sum())
        self.counts_3[0] += 1
        self.counts_3[1] += len(true_P)

    def compute(self) -> dict[str, Tensor]:
        """Of all pictures that were seen; no numbers if none of them had a valid pixel."""
        pictures, pixels, left_out = self.counts_3.tolist()
        if left_out and not pictures:
            note(_nothing(left_out, self.low, self.high, self.crop))
        means_K = _sum(self.totals_2K) / (pictures or torch.nan)
        found = dict(zip(AVERAGED, means_K.float(), strict=True))
        pooled = (_sum(self.squares_2) / (pixels or torch.nan)).sqrt().float()
        return {**found, "rmse_pooled": pooled, "left_out": torch.tensor(float(left_out))}


def _nothing(pictures: int, low: float, high: float, crop: Crop) -> str:
    where = "" if crop == "none" else f" in the part that `task.crop` `{crop}` leaves"
    what = "one picture" if pictures == 1 else f"{pictures:,} pictures"
    return (
        f"metrics of depths are no numbers: {what} judged, and none with a depth between {low:g}"
        f" and {high:g} (`task.min` and `task.max`){where}"
    )


def _double(depths_BHW: Tensor) -> Tensor:
    """On the CPU where a device has no doubles."""
    return (depths_BHW.cpu() if depths_BHW.device.type == "mps" else depths_BHW).double()


def of_picture(told_P: Tensor, true_P: Tensor) -> Tensor:
    """The averaged metrics of one picture's valid pixels, (K,)."""
    error_P, log_P = told_P - true_P, told_P.log() - true_P.log()
    ratio_P = torch.maximum(told_P / true_P, true_P / told_P)
    return torch.stack(
        [
            *((ratio_P < 1.25**power).double().mean() for power in (1, 2, 3)),
            (error_P.abs() / true_P).mean(),
            (error_P.square() / true_P).mean(),
            error_P.square().mean().sqrt(),
            log_P.square().mean().sqrt(),
            (told_P.log10() - true_P.log10()).abs().mean(),
            100 * log_P.std(correction=0),
        ]
    )


def _sum(halves: Tensor) -> Tensor:
    return halves.cpu().double().sum(0)


def _with(halves: Tensor, added: Tensor) -> Tensor:
    whole = _sum(halves) + added.cpu()
    nearest = whole.float()
    return torch.stack([nearest, (whole - nearest.double()).float()]).to(halves.device)
