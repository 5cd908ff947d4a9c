"""The cells of a comparison as rows: what was compared, on what, and what came out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from onlay.reports import Measure
from onlay_train.grid.report.scale import Scale


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cell that is done. Scores are in the measure's unit, shares in percent."""

    cell: str
    method: str
    """What is compared: method, backbone, recipe; all axes that are neither data nor seeds."""
    data: str
    """On what: the data set, and how much of it."""
    source: str
    """The data set, however much of it was taken: what a comparison speaks about."""
    size: float | None
    """The number by which learning curves go, `data.train_size`."""
    seed: str
    score: float
    part: str
    """The part that the score is of; `test`, else `validation`."""
    train: float | None
    """The same metric on the training part."""
    loss: float
    """The training loss of the last epoch."""
    trained: int
    step_seconds: float
    peak_bytes: int
    bundle_bytes: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, float] = field(default_factory=dict)
    selection: str = "last"
    """How the epoch was chosen, as `train.selection` has it."""
    control: str = ""
    """Which of the grid's `controls` it is, if any."""
    setting: tuple[str, ...] = ()
    """What other axes than those of methods, data and seeds say of it, such as its backbone."""
    adapter: bool = True
    """It trains a part on a frozen backbone, and more than the head."""

    @property
    def published(self) -> bool:
        """The epoch was chosen on the test part."""
        return self.selection == "best_test_as_published"


@dataclass(frozen=True)
class Search:
    """The trials of one method on one data set."""

    method: str
    data: str
    trials: int
    failed: int
    diverged: int
    scores: Sequence[float]
    """On the validation part, of the trials that are done, the best first."""
    drawn: Sequence[Mapping[str, float]]
    """Field -> value, of the same trials in the same order."""
    tried: int = 0
    """Different trainings among those that are done: a method without a searched key has one."""
    open: int = 0
    """Trials that have not ended."""

    @property
    def chosen(self) -> Mapping[str, float]:
        """What the best trial had."""
        return self.drawn[0] if self.drawn else {}

    @property
    def useful(self) -> dict[str, tuple[float, float]]:
        """Field -> its least and its largest value in the best quarter of the trials, where that
        is two or more."""
        best = self.drawn[: round(len(self.drawn) / 4)]
        if len(best) < 2:
            return {}
        return {key: (min(own), max(own)) for key in best[0] for own in [[b[key] for b in best]]}

    @property
    def spread(self) -> float | None:
        """From the worst trial to the best: how sensitive a method is to what was searched."""
        return max(self.scores) - min(self.scores) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class Lost:
    """A cell that failed."""

    cell: str
    method: str
    data: str
    what: str
    said: str
    diverged: bool

    @property
    def trial(self) -> bool:
        """It is of a search."""
        return self.what.startswith("trial")


@dataclass(frozen=True)
class Reached:
    """What an answer reaches on a data set that is the same for every input."""

    what: str
    """In words: `most frequent class`."""
    score: float
    """In the measure's unit."""


@dataclass(frozen=True)
class Found:
    """All that a report is made of."""

    name: str
    root: str
    """Its folder, as it was given."""
    rows: Sequence[Row]
    searches: Sequence[Search]
    lost: Sequence[Lost]
    measure: Measure
    metric: str
    open_cells: int
    skipped: Sequence[str]
    axes: Sequence[str]
    """Those that tell methods apart."""
    size: str = ""
    """What sizes are of: `train_per_class`."""
    trivial: Mapping[str, Reached] = field(default_factory=dict)
    """Data set -> what is reached without training, where `controls` ask for it."""
    no_trivial: Mapping[str, str] = field(default_factory=dict)
    """Data set -> why nothing is known of that."""
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Group -> its data sets, as the grid has them."""
    notes: Sequence[str] = ()
    """What the grid wants to have said."""
    others: Sequence[str] = ()
    """Sentences about cells that count, or do not, other than one might think."""

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(row.method for row in self.rows))

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(row.data for row in self.rows))

    @property
    def sources(self) -> list[str]:
        """Data sets, however much of them was taken."""
        return list(dict.fromkeys(row.source for row in self.rows))

    @property
    def sizes(self) -> list[float]:
        """How much was taken, the least first; nothing where no axis says it."""
        return sorted({row.size for row in self.rows if row.size is not None})

    def seeds(self, data: str) -> set[str]:
        """Those with which any method was trained on it."""
        return {row.seed for row in self.rows if row.data == data}

    def within(self, source: str, size: float | None = None) -> list[str]:
        """The data of a data set: one for each size, or that of one size."""
        rows = (row for row in self.rows if row.source == source and size in (None, row.size))
        return list(dict.fromkeys(row.data for row in rows))

    @cached_property
    def scale(self) -> Scale:
        """How its numbers are written."""
        return Scale.of(self.measure, [row.score for row in self.rows])

    @property
    def axis(self) -> str:
        """The metric as drawings name it: `top1, %`."""
        return f"{self.metric}, {self.measure.unit}" if self.measure.unit else self.metric

    def scores(self, method: str, data: str) -> dict[str, float]:
        """Seed -> score."""
        return {r.seed: r.score for r in self.rows if (r.method, r.data) == (method, data)}


def mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else float("nan")
