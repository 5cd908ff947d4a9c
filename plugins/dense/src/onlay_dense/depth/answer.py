"""What a head says that tells depths.

Shapes: H and W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from onlay.reports import PERCENT, Measure
from onlay.task import Input, Raster
from onlay_dense.onto_picture import onto_picture

MOST = 65_534
"""The largest number of a written map: 65535 means a hole for many readers, and 0 for all."""
SCALES = (1000, 256, 100, 10, 1)
"""How many numbers are one unit, the first by which the farthest depth can be written: thousandths
where that can be, else what KITTI has."""


@dataclass(frozen=True)
class DepthAnswer:
    """A depth for each pixel that the network saw."""

    depth_HW: Tensor
    """Float, on the CPU; 0 where a truth has no depth."""
    unit: str
    most: float
    """The greatest depth that the task tells."""
    given: Input | None = None
    """The picture, once the answer has seen it."""

    def with_input(self, given: Input) -> DepthAnswer:
        """The same, which knows how large the picture is."""
        return replace(self, given=given)

    @cached_property
    def summary(self) -> dict[str, float]:
        """`median`, `min` and `max` of the pixels that have a depth; no numbers without any."""
        values = self.depth_HW[self.depth_HW > 0].double()
        if not len(values):
            return dict.fromkeys(("median", "min", "max"), math.nan)
        found = {"median": values.median(), "min": values.min(), "max": values.max()}
        return {name: float(value) for name, value in found.items()}

    @property
    def scale(self) -> int:
        """What the numbers of the written map are divided by to have depths in `unit`."""
        return next((scale for scale in SCALES if scale * self.most <= MOST), SCALES[-1])

    def line(self) -> str:
        """`2.31 m (0.84 to 6.2)`: the median, and from where to where; `no depth` of a truth that
        has none."""
        if not (self.depth_HW > 0).any():
            return "no depth"
        low, high = (f"{self.summary[name]:.3g}" for name in ("min", "max"))
        return f"{Measure(self.unit).text(self.summary['median'])} ({low} to {high})"

    def cells(self, top: int | None = None) -> dict[str, str]:
        """`median`, `min` and `max` with their unit."""
        return {name: Measure(self.unit).text(value) for name, value in self.summary.items()}

    def row(self, top: int | None = None) -> dict[str, float]:
        """The same as numbers."""
        return dict(self.summary)

    def record(self, top: int | None = None) -> dict[str, Any]:
        """The same, with their `unit`, the `size`, height and width, that the model saw, and the
        `scale` of the map that `write` writes."""
        size = list(self.depth_HW.shape)
        return {**self.summary, "unit": self.unit, "size": size, "scale": self.scale}

    def write(self, folder: Path, stem: str) -> Sequence[Path]:
        """`STEM-depth.png`, 16 bits of grey on the picture's own pixels: each number `scale` times
        a depth (which stands in the file, too: `scale`, `unit`), 0 where the crop has cut the
        picture off. And `STEM-depth-colours.png` to look at, near violet, far yellow."""
        from onlay_dense.depth.pictures import coloured, written

        depth_HW = self.depth_HW
        if self.given is not None:
            depth_HW = onto_picture(depth_HW, self.given, nothing=0)
        paths = folder / f"{stem}-depth.png", folder / f"{stem}-depth-colours.png"
        written(depth_HW, paths[0], self.scale, self.unit)
        coloured(depth_HW).save(paths[1])
        return paths

    def drawn(self) -> list[Raster]:
        """The map."""
        return [Raster("depth", _seen(self.depth_HW), unit=self.unit)]

    def beside(self, truth: DepthAnswer) -> list[Raster]:
        """How far it is off, in the unit, where there is a truth."""
        there_HW = truth.depth_HW > 0
        error_HW = (self.depth_HW - truth.depth_HW).abs()
        share = (error_HW / truth.depth_HW)[there_HW].mean() if there_HW.any() else math.nan
        most = float(error_HW[there_HW].max()) if there_HW.any() else 0.0
        title = f"off by {PERCENT.text(float(share), places=1)} on average"
        shown_HW = error_HW.where(there_HW, math.nan)
        return [Raster(title, shown_HW, unit=self.unit, limits=(0.0, most))]


def _seen(depth_HW: Tensor) -> Tensor:
    """Holes are no numbers."""
    return depth_HW.where(depth_HW > 0, math.nan)
