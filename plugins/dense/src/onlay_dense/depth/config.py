"""Settings of the task `depth`; imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from onlay_dense.config import DenseConfig


class DepthConfig(DenseConfig):
    """A distance for every pixel: one channel on what the decoder makes, learnt by its logarithm.

    Pixels without a depth (0), and those of `min` and below or `max` and beyond, count nowhere, not
    in the loss and not in the metrics.
    """

    name: Literal["depth"] = "depth"
    """This task."""
    min: PositiveFloat = 1e-3
    """The least depth that is told and judged, in the unit of the data."""
    max: PositiveFloat = 10.0
    """The greatest one: 10 m for rooms (NYU), 80 m for streets (KITTI)."""
    output: Literal["sigmoid", "softplus"] = "sigmoid"
    """What bounds the depths that are told: `sigmoid` stays between `min` and `max`, `softplus`
    above `min` alone. Both begin in the middle between the two."""
    silog_lambda: float = Field(default=0.5, ge=0, lt=1)
    """How much of an error that all pixels of a picture share is forgiven by the loss, the root of
    mean(e²) - lambda · mean(e)² over e = ln(told) - ln(true): 0 nothing; with 1, all of it, the
    scale would not be learnt. 0.5 is that of Eigen et al. 2014 and GLPDepth; AdaBins has 0.85."""
    crop: Literal["none", "eigen", "garg"] = "none"
    """What of a picture metrics look at: all of it; `eigen`, rows 45 to 471 and columns 41 to 601
    of 480 x 640 (NYU); `garg`, 40.8 to 99.2 % of the rows and 3.6 to 96.4 % of the columns (KITTI).
    Of pictures of other sizes the same shares."""
    flip_test: bool = False
    """Whether what is told is the mean of a picture and of its mirror image turned back, as is
    usual in this field; it takes twice the time, but not while training."""
    metric: Literal["abs_rel", "delta1", "rmse"] = "abs_rel"
    """By which a run is judged: its best epoch, early stopping, tables over seeds. `abs_rel` still
    tells models apart whose `delta1` is close to 100 %."""
    unit: str = Field(default="m", pattern="^[^%]*$")
    """What the data's depths are in, behind the numbers of answers and metrics."""

    @model_validator(mode="after")
    def _some_range(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"`min` ({self.min:g}) must be below `max` ({self.max:g})")
        return self
