"""How scores and their differences are written."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from onlay.reports import Measure

TIE = 0.5
"""Points of a share up to which a difference is a tie, unless the grid says otherwise."""


@dataclass(frozen=True)
class Scale:
    """Percents with one place, other numbers with three digits of those that are there."""

    unit: str = "%"
    better: Literal["higher", "lower"] = "higher"
    places: int = 1

    @classmethod
    def of(cls, measure: Measure, scores: Iterable[float]) -> Scale:
        """
        >>> Scale.of(Measure("cm", better="lower"), [0.132, 0.099]).score(0.0821)
        '0.082'
        """
        sizes = [abs(score) for score in scores if score]
        if measure.unit == "%" or not sizes:
            return cls(measure.unit, measure.better)
        first = math.floor(math.log10(statistics.median(sizes)))
        return cls(measure.unit, measure.better, min(max(2 - first, 0), 8))

    @property
    def tie(self) -> float:
        """The margin where the grid has none: of other numbers nobody knows what is little."""
        return TIE if self.unit == "%" else 0.0

    def score(self, value: float) -> str:
        return f"{value:.{self.places}f}"

    def named(self, value: float) -> str:
        """With the unit: `88.1 %`."""
        return f"{self.score(value)} {self.unit}".rstrip()

    def signed(self, value: float) -> str:
        return f"{value:+.{self.places}f}"

    def gap(self, value: float) -> str:
        """A difference with its unit: `1.2 points`, `0.033 cm`."""
        noun = "points" if self.unit == "%" else self.unit
        return f"{self.score(value)} {noun}".rstrip()

    def against(self, value: float, reference: str) -> str:
        """A difference in which plus is better: `+1.2 points against full`; where lower is better
        `0.033 cm better than full`."""
        if self.better == "higher":
            sign = "-" if value < 0 else "+"
            return f"{sign}{self.gap(abs(value))} against `{reference}`"
        return f"{self.gap(abs(value))} {'worse' if value < 0 else 'better'} than `{reference}`"

    def interval(self, low: float, high: float) -> str:
        """Of such a difference."""
        plus = "" if self.better == "higher" else ", plus is better"
        return f"95 % interval {self.signed(low)} to {self.signed(high)}{plus}"

    def over(self, reference: str) -> str:
        """The head of a column of such differences."""
        return f"over {reference}" if self.better == "higher" else f"better than {reference} by"
