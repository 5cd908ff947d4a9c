"""What a task tells of a model that was judged, beyond its metrics: `onlay eval RUN --report DIR`.

A head may have `report(outputs, targets) -> Report`. It is given all outputs of the part that was
judged and all targets, on the CPU, in the order of the items. Without it a report has the metrics
alone. Where all outputs are too much to keep, as maps are, it has `condense(output, targets)`, too:
what is kept of a batch in their place, two tensors with the batch first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onlay.measures import Measure

Cell = str | int | float


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
