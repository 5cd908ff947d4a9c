"""What the numbers in depth maps mean; imports no torch."""

from __future__ import annotations

from typing import Self

from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from onlay.settings import Config


class DepthValues(Config):
    """What the numbers in depth maps mean."""

    scale: PositiveFloat | None = None
    """How many of a map's numbers are one unit (a metre): 1000 where they are millimetres, 256 as
    KITTI has it. Default: what a PNG says that `onlay predict` wrote, else 1."""

    min: NonNegativeFloat = 0.0
    """Depths below, in units, are holes, as are 0, what is no number, and the largest number of 16
    bits (65535)."""

    max: PositiveFloat | None = None
    """Depths beyond are holes. What of them is learnt and judged, the task says (`task.max`)."""

    @model_validator(mode="after")
    def _some_range(self) -> Self:
        if self.max is not None and self.min >= self.max:
            raise ValueError(f"`min` ({self.min:g}) must be below `max` ({self.max:g})")
        return self
