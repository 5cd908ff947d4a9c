"""What segmentation says of one picture.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor

from onlay.reports import PERCENT
from onlay.task import Input, Raster, numbered
from onlay.tasks.class_maps import VOID
from onlay_dense.onto_picture import onto_picture
from onlay_dense.palette import GREY, colour_of, write_classes

ERROR = ("#e8eef2", "#d55e00")
"""What is right and what is wrong."""
NAMED = 3
"""Classes that a line names; the others are counted."""


@dataclass(frozen=True)
class SegmentationAnswer:
    """The class of each pixel, as the model saw them."""

    classes_HW: Tensor
    """Indices of `labels`, -1 where a truth has no class."""
    labels: Sequence[str]
    given: Input | None = None
    """The picture, once the answer has seen it."""

    def with_input(self, given: Input) -> SegmentationAnswer:
        """The same, which knows how large the picture is."""
        return replace(self, given=given)

    @cached_property
    def shares(self) -> dict[str, float]:
        """Of the pixels that have a class, for every class that is found, the largest first."""
        told = self.classes_HW[self.classes_HW != VOID]
        counts = told.bincount(minlength=len(self.labels))
        order = counts.argsort(descending=True, stable=True).tolist()
        return {self.labels[i]: counts[i].item() / len(told) for i in order if counts[i]}

    def line(self) -> str:
        """`road 50 %, sky 30 %, car 20 %`; `void` of a truth that has no class anywhere."""
        more = len(self.shares) - NAMED
        named = _listed(dict(islice(self.shares.items(), NAMED)), places=0)
        return f"{named} and {more} more" if more > 0 else named or "void"

    def cells(self, top: int | None = None) -> dict[str, str]:
        """The largest class and its share; the others, or as many as are asked for, under
        `then`."""
        (label, first), *rest = islice(self.shares.items(), top)
        cells = {"class": label, "share": PERCENT.text(first, places=1)}
        return cells | ({"then": _listed(dict(rest), places=1)} if rest else {})

    def row(self, top: int | None = None) -> dict[str, str]:
        """`class`, `share`, `class_2`, `share_2` and so on."""
        return numbered("class", "share", self.shares, top)

    def record(self, top: int | None = None) -> dict[str, Any]:
        """`shares`, and the `size`, height and width, that the model saw."""
        size = list(self.classes_HW.shape)
        return {"shares": dict(islice(self.shares.items(), top)), "size": size}

    def write(self, folder: Path, stem: str) -> list[Path]:
        """`STEM.png`, the classes on the picture's own pixels, in a palette."""
        classes_HW = self.classes_HW
        if self.given is not None:
            classes_HW = onto_picture(classes_HW, self.given)
        return [write_classes(folder / f"{stem}.png", classes_HW, self.labels)]

    def drawn(self) -> list[Raster]:
        """The map."""
        own = [colour_of(index) for index in range(len(self.labels))]
        return [_raster("classes", self.classes_HW, self.labels, own)]

    def beside(self, truth: SegmentationAnswer) -> list[Raster]:
        """Where it is right and where it is wrong."""
        wrong_HW = (self.classes_HW != truth.classes_HW).long()
        error_HW = wrong_HW.where(truth.classes_HW != VOID, VOID)
        told = error_HW[error_HW != VOID]
        share = PERCENT.text(told.double().mean().item() if len(told) else 0.0, places=1)
        return [_raster(f"wrong: {share}", error_HW, ("right", "wrong"), ERROR)]


def _raster(
    title: str, indices_HW: Tensor, labels: Sequence[str], colours: Sequence[str]
) -> Raster:
    """Void is one more label, where there is some, and grey."""
    void_HW = indices_HW == VOID
    if void_HW.any():
        labels, colours = (*labels, "void"), (*colours, GREY)
        indices_HW = indices_HW.masked_fill(void_HW, len(labels) - 1)
    return Raster(title, indices_HW, labels, colours=colours)


def _listed(shares: Mapping[str, float], *, places: int) -> str:
    return ", ".join(f"{name} {PERCENT.text(p, places=places)}" for name, p in shares.items())
