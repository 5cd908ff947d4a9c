"""Finished runs of several methods or folds, as a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onlay.config import resolve
from onlay.config.overrides import merged
from onlay.host import PluginHost
from onlay.reports import Measure
from onlay_train.report import kilobytes, megabytes
from onlay_train.run import train
from onlay_train.summary import Summary


@dataclass(frozen=True)
class Comparison:
    """Finished runs under the label of what was compared, one for each seed."""

    runs: Mapping[str, Sequence[Summary]]

    @property
    def metric(self) -> str:
        """The main one."""
        return next(iter(self.runs.values()))[0].main_metric

    @property
    def measure(self) -> Measure:
        """How the main metric is read."""
        return next(iter(self.runs.values()))[0].measure(self.metric)

    def scores(self, label: str) -> list[float]:
        """The main metric of each seed, on the test part if there is one; shares are fractions."""
        return [run.score[1] for run in self.runs[label] if run.score]

    def mean(self, label: str) -> float:
        return statistics.fmean(self.scores(label))

    def deviation(self, label: str) -> float:
        """The sample standard deviation over seeds (n - 1); 0 for one seed."""
        scores = self.scores(label)
        return statistics.stdev(scores) if len(scores) > 1 else 0.0

    def caption(self, label: str) -> str:
        """The label and how many parameters were trained."""
        return f"{label}\n{self.runs[label][0].trained:,} trained"

    def table(self, title: str = "") -> Table:
        """One row for each label; times and peaks are means over seeds."""
        first = next(iter(self.runs.values()))[0]
        split = first.score[0] if first.score else "no score"
        table = Table(title=Text(title) if title else None)
        table.add_column("method")
        for column in (f"{split} {first.main_metric}", "trained", "share", "head", "time"):
            table.add_column(Text(column), justify="right")
        for column in ("peak memory", "bundle"):
            table.add_column(column, justify="right")
        for label, runs in self.runs.items():
            table.add_row(Text(label), self._score(label), *_row(runs))
        return table

    def _score(self, label: str) -> str:
        if not self.scores(label):
            return "-"
        deviation = self.deviation(label) if len(self.scores(label)) > 1 else None
        return self.measure.text(self.mean(label), deviation, places=1)


def trained(
    base: Mapping[str, Any],
    own: Mapping[str, Any],
    out: Path,
    host: PluginHost,
    console: Console | None = None,
) -> Summary:
    """One run of several: `base` with what is different, in a folder of its own; read back if it
    is finished."""
    changes = merged(own, {"out": str(out)})
    return train(resolve(merged(base, changes), (), host=host), host, console=console)


def _row(runs: Sequence[Summary]) -> list[str]:
    first = runs[0]
    return [
        f"{first.trained:,}",
        f"{first.share:.2f} %",
        f"{first.head:,}",
        f"{statistics.fmean(run.seconds for run in runs):.1f} s",
        megabytes(round(statistics.fmean(run.peak_bytes for run in runs))),
        kilobytes(first.bundle_bytes),
    ]
