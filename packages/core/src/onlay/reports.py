"""How the numbers of metrics are read, and what a task tells of a model that was judged beyond
them: `onlay eval RUN --report DIR`.

A head may have `report(outputs, targets) -> Report`. It is given all outputs of the part that was
judged and all targets, on the CPU, in the order of the items. Without it a report has the metrics
alone. Where all outputs are too much to keep, as maps are, it has `condense(output, targets)`, too:
what is kept of a batch in their place, two tensors with the batch first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from onlay.errors import ConfigError

Cell = str | int | float


@dataclass(frozen=True)
class Measure:
    """How the numbers of one metric are read.

    >>> Measure("%").text(0.8812)
    '88.12 %'
    >>> Measure("cm", better="lower").text(17.9512, 0.3049)
    '17.95 ± 0.30 cm'
    """

    unit: str = ""
    """`%` for shares: 0.1795 is written as 17.95 %. Any other one is written behind the number as
    it is (`cm`); empty for a bare number."""
    better: Literal["higher", "lower"] = "higher"
    """Which direction is better."""

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise ConfigError(f"of a metric `higher` or `lower` is better, not `{self.better}`")

    def text(self, value: float, deviation: float | None = None, *, places: int = 2) -> str:
        """For people; `places` behind the point of percents, four digits of lengths, four places of
        bare numbers from 0.01 to 100."""
        factor = 100 if self.unit == "%" else 1
        places = places if self.unit == "%" else self._places(value)
        numbers = [f"{factor * n:.{places}f}" for n in (value, deviation) if n is not None]
        return f"{' ± '.join(numbers)} {self.unit}".rstrip()

    def improves(self, value: float, best: float) -> bool:
        """Is a value better than the best so far? What is no number never is."""
        if math.isnan(best):
            return not math.isnan(value)
        return value > best if self.better == "higher" else value < best

    def _places(self, value: float) -> int:
        size = math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
        if not self.unit and size < 2:
            return min(max(2 - size, 4), 8)
        return min(max(3 - size, 0), 8)


PERCENT = Measure("%")
"""What is meant by a metric of which nothing is known."""
LOSS = Measure(better="lower")


@dataclass(frozen=True)
class Table:
    """Written as `NAME.csv`, and shown on the page."""

    name: str
    """Of the file, without blanks: `per_class`."""
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    shares: frozenset[str] = frozenset()
    """Columns whose numbers are shares, shown as percent."""
    shown: bool = True
    """Whether the page shows it, or only names the file."""


@dataclass(frozen=True)
class Drawing:
    """Written as `NAME.svg`, and shown on the page."""

    name: str
    title: str
    svg: str
    """One `<svg>` element with a `viewBox`, which holds nothing of users but text that is
    escaped."""


@dataclass(frozen=True)
class Mistake:
    """One item about which the model is wrong."""

    index: int
    """Of the item in the part that was judged."""
    said: str
    true: str
    score: float
    """By which mistakes are sorted: how sure the model was, or how large the error is."""
    score_text: str
    """The same for people: `97.1 %`."""


@dataclass(frozen=True)
class Report:
    """Everything may be left out."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    """Beside those of `metrics`."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    """Their units; a metric that is not named here is a share."""
    facts: Mapping[str, Cell] = field(default_factory=dict)
    """What else `metrics.json` says, such as which class counts as positive."""
    tables: Sequence[Table] = ()
    drawings: Sequence[Drawing] = ()
    mistakes: Sequence[Mistake] = ()
    """All of them, the worst first; the page shows the first ones with their pictures."""
    mistakes_title: str = "Most confident mistakes"


def measures_of(head: Any) -> dict[str, Measure]:
    """How the loss and each metric of a head are read; needs `onlay-train`.

    That is what the head says in `measures`. Else torchmetrics says it of a metric: lower is better
    where its `higher_is_better` is False, and its values are shares unless that, or bounds other
    than 0 and 1 (`plot_lower_bound`, `plot_upper_bound`), say otherwise. A metric that says nothing
    is a share, and higher is better.
    """
    found = getattr(head.metrics(), "items", dict)()
    own = {name: _told_by(metric) for name, metric in found}
    return {"loss": LOSS, **own, **getattr(head, "measures", {})}


def measure_named(name: str, measures: Mapping[str, Measure]) -> Measure:
    """That of a metric, also under a longer name (`test_top1`, `voted_top1`); of one that is not
    there a share, unless it is a loss.

    >>> measure_named("test_mae", {"mae": Measure("cm", better="lower")}).unit
    'cm'
    """
    words = name.split("_")
    ends = ("_".join(words[n:]) for n in range(len(words)))
    known = {"loss": LOSS, **measures}
    return next((known[end] for end in ends if end in known), PERCENT)


def _told_by(metric: Any) -> Measure:
    bounds = [getattr(metric, f"plot_{end}_bound", None) for end in ("lower", "upper")]
    lower = getattr(metric, "higher_is_better", None) is False
    share = bounds == [0.0, 1.0] or (bounds == [None, None] and not lower)
    return Measure("%" if share else "", "lower" if lower else "higher")
