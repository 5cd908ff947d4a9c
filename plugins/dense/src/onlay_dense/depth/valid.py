"""Which pixels of a depth map count.

Shapes: B batch, H and W pixels.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from onlay.errors import DataError

Crop = Literal["none", "eigen", "garg"]

GARG = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
"""Top, bottom, left and right as shares of height and width (Garg et al. 2016)."""


def known(depth_BHW: Tensor, low: float, high: float) -> Tensor:
    """Where there is a depth between two others: a hole is 0, or no number."""
    return (depth_BHW > low) & (depth_BHW < high)


def cropped(values_BHW: Tensor, crop: Crop) -> Tensor:
    """The part of each map that is judged."""
    height, width = values_BHW.shape[-2:]
    if crop == "none":
        return values_BHW
    if crop == "eigen":  # of 480 x 640, in whole numbers
        rows = slice(45 * height // 480, 471 * height // 480)
        columns = slice(41 * width // 640, 601 * width // 640)
    else:
        top, bottom, left, right = GARG
        rows = slice(int(top * height), int(bottom * height))
        columns = slice(int(left * width), int(right * width))
    return values_BHW[..., rows, columns]


def judged(told_HW: Tensor, true_HW: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """Of both maps what is judged; shares of a picture that was padded are those of its own part,
    which has a positive 0 for a hole (`onlay_image.data.moving.BEYOND`)."""
    if crop == "none":
        return told_HW, true_HW
    own_HW = ~(true_HW.signbit() & (true_HW == 0))
    places = [own_HW.any(axis).nonzero().flatten().tolist() or [0, -1] for axis in (1, 0)]
    own = tuple(slice(each[0], each[-1] + 1) for each in places)
    return cropped(told_HW[own], crop), cropped(true_HW[own], crop)


def checked_depths(output_BHW: Tensor, targets: Any) -> Tensor:
    """Targets as floats in the shape of `output` (B, H, W).

    Raises:
        DataError: no tensor, or of another shape.
    """
    if not isinstance(targets, Tensor):
        raise DataError(f"targets must be a tensor of depths, not a `{type(targets).__name__}`")
    if targets.shape != output_BHW.shape:
        raise DataError(
            f"outputs {tuple(output_BHW.shape)} need depths of that shape, and these are"
            f" {tuple(targets.shape)}"
        )
    return targets.float()


def silog_B(told_BHW: Tensor, true_BHW: Tensor, valid_BHW: Tensor, forgiven: float) -> Tensor:
    """The root of mean(e²) - forgiven · mean(e)² of each picture, e = ln(told) - ln(true) over its
    valid pixels (Eigen et al. 2014, equation 4); 0 for a picture without any. (B,)"""
    ones = torch.ones_like(told_BHW)
    error = (told_BHW.where(valid_BHW, ones).log() - true_BHW.where(valid_BHW, ones).log()).flatten(
        1
    )
    count_B = valid_BHW.flatten(1).sum(1)
    mean_B = error.sum(1) / count_B.clamp(min=1)
    # around the mean first: the difference of two large numbers would be lost
    apart = (error - mean_B[:, None]) * valid_BHW.flatten(1)
    squares_B = apart.square().sum(1) / count_B.clamp(min=1) + (1 - forgiven) * mean_B.square()
    return (squares_B + 1e-6).sqrt() * (count_B > 0)
