"""What segmentation says of one cloud: its parts, and the shares of anything in words.

Shapes: N points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from onlay.reports import PERCENT
from onlay.task import Bars, Input, numbered

if TYPE_CHECKING:
    from torch import Tensor

NAMED = 3
"""Parts that a line names; the others are counted."""

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PartsAnswer:
    """The part that each point belongs to, and the share of points in each part."""

    parts: tuple[str, ...]
    """A part's name for each point, in the order in which the backbone was given them."""
    shares: dict[str, float]
    """Of the points, for every part that occurs, the largest first."""
    points: Rows = ()
    """The points themselves, as the backbone was given them, once the answer has seen its input: a
    file's points are chosen from and moved."""

    def with_input(self, given: Input) -> PartsAnswer:
        """The same, with the points."""
        return replace(self, points=rounded(given.tensor))

    def line(self) -> str:
        """`leg 50 %, seat 30 %, back 20 %`."""
        return in_a_line(self.shares)

    def cells(self, top: int | None = None) -> dict[str, str]:
        """The largest part and its share; the others, or as many as are asked for, under
        `then`."""
        return in_cells("part", self.shares, top)

    def row(self, top: int | None = None) -> dict[str, str]:
        """`part`, `share`, `part_2`, `share_2` and so on."""
        return numbered("part", "share", self.shares, top)

    def record(self, top: int | None = None) -> dict[str, Any]:
        """`shares`, and of every point `parts` and `points`."""
        shares = dict(islice(self.shares.items(), top))
        return {"shares": shares, "parts": self.parts, "points": self.points}

    def drawn(self) -> list[Bars]:
        """The shares of all parts."""
        return [Bars(self.shares)]


def shares_of(found_N: Tensor, labels: Sequence[str]) -> dict[str, float]:
    """Of the points, for every label that occurs, the largest first."""
    counts = found_N.bincount(minlength=len(labels))
    order = [i for i in counts.argsort(descending=True, stable=True).tolist() if counts[i]]
    return {labels[i]: counts[i].item() / len(found_N) for i in order}


def rounded(points: Tensor) -> Rows:
    """Coordinates of points (N, 3 or more), as they are written."""
    rows = points[:, :3].double().tolist()
    return tuple(tuple(round(x, 6) for x in row) for row in rows)


def in_a_line(shares: Mapping[str, float]) -> str:
    """The largest few, and how many others there are."""
    more = len(shares) - NAMED
    named = _listed(dict(islice(shares.items(), NAMED)), places=0)
    return f"{named} and {more} more" if more > 0 else named


def in_cells(title: str, shares: Mapping[str, float], top: int | None) -> dict[str, str]:
    """The largest under `title`, its share, and the others under `then`."""
    (name, first), *rest = islice(shares.items(), top)
    cells = {title: name, "share": PERCENT.text(first, places=1)}
    return cells | ({"then": _listed(dict(rest), places=1)} if rest else {})


def _listed(shares: Mapping[str, float], *, places: int) -> str:
    return ", ".join(f"{name} {PERCENT.text(p, places=places)}" for name, p in shares.items())
