"""What part segmentation says of one cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from onlay.measures import PERCENT
from onlay.task import Bars, Input, numbered

NAMED = 3
"""Parts that a line names; the others are counted."""


@dataclass(frozen=True)
class PartsAnswer:
    """The part that each point belongs to, and the share of points in each part."""

    parts: tuple[str, ...]
    """A part's name for each point, in the order in which the backbone was given them."""
    shares: dict[str, float]
    """Of the points, for every part that occurs, the largest first."""
    points: tuple[tuple[float, ...], ...] = ()
    """The points themselves, as the backbone was given them, once the answer has seen its input: a
    file's points are chosen from and moved."""

    def with_input(self, given: Input) -> PartsAnswer:
        """The same, with the points."""
        rows = given.tensor[:, :3].double().tolist()
        return replace(self, points=tuple(tuple(round(x, 6) for x in row) for row in rows))

    def line(self) -> str:
        """`leg 50 %, seat 30 %, back 20 %`."""
        more = len(self.shares) - NAMED
        named = _listed(dict(islice(self.shares.items(), NAMED)), places=0)
        return f"{named} and {more} more" if more > 0 else named

    def cells(self, top: int | None = None) -> dict[str, str]:
        """The largest part and its share; the others, or as many as are asked for, under
        `then`."""
        (part, first), *rest = islice(self.shares.items(), top)
        cells = {"part": part, "share": PERCENT.text(first, places=1)}
        return cells | ({"then": _listed(dict(rest), places=1)} if rest else {})

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


def _listed(shares: Mapping[str, float], *, places: int) -> str:
    return ", ".join(f"{name} {PERCENT.text(p, places=places)}" for name, p in shares.items())
