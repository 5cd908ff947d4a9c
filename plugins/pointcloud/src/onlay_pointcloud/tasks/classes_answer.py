"""What semantic segmentation says of one cloud.

Shapes: N points of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay.task import Bars, Input, numbered
from onlay_pointcloud.tasks.answer import in_a_line, in_cells, rounded, shares_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ClassesAnswer:
    """The class of each point, and the share of points in each class."""

    labels: tuple[str, ...]
    found_N: Tensor
    """An index of `labels` for each point, in the order in which the backbone was given them."""
    given: Input | None = None
    """The cloud, once the answer has seen it: a file's points are chosen from and moved."""

    noun = "class"
    """What pages call what a point belongs to."""

    @cached_property
    def shares(self) -> dict[str, float]:
        """Of the points, for every class that occurs, the largest first."""
        return shares_of(self.found_N, self.labels)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The name of each point's class."""
        return tuple(self.labels[i] for i in self.found_N.tolist())

    def with_input(self, given: Input) -> ClassesAnswer:
        """The same, with the cloud."""
        return replace(self, given=given)

    def line(self) -> str:
        """`wall 50 %, floor 30 %, chair 20 %`."""
        return in_a_line(self.shares)

    def cells(self, top: int | None = None) -> dict[str, str]:
        """The largest class and its share; the others, or as many as are asked for, under
        `then`."""
        return in_cells("class", self.shares, top)

    def row(self, top: int | None = None) -> dict[str, str]:
        """`class`, `share`, `class_2`, `share_2` and so on."""
        return numbered("class", "share", self.shares, top)

    def record(self, top: int | None = None) -> dict[str, Any]:
        """`shares`, and of every point `classes` and `points`."""
        shares = dict(islice(self.shares.items(), top))
        points = rounded(self.given.tensor) if self.given else ()
        return {"shares": shares, "classes": self.parts, "points": points}

    def drawn(self) -> list[Bars]:
        """The shares of all classes."""
        return [Bars(self.shares)]

    def write(self, folder: Path, stem: str) -> Sequence[Path]:
        """One file with every point of the input's file and its class; see
        `onlay_pointcloud.tasks.classes_file`."""
        from onlay_pointcloud.tasks.classes_file import write_classes

        return [write_classes(folder, stem, self.labels, self.found_N.numpy(), self.given)]
