"""What a head says that finds any number of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from onlay.reports import PERCENT
from onlay.task import Bars


@dataclass(frozen=True)
class LabelsAnswer:
    """The labels whose probability reaches the threshold, and the probability of every label."""

    probabilities: dict[str, float]
    """The likeliest first."""
    threshold: float = 0.5

    @property
    def labels(self) -> dict[str, float]:
        """Those that the input has, with their probabilities, the likeliest first."""
        return {name: p for name, p in self.probabilities.items() if p >= self.threshold}

    def line(self) -> str:
        """`cat 93 %, red 61 %`; `no label` where none reaches the threshold."""
        return _listed(self.labels, places=0) or "no label"

    def cells(self, top: int | None = None) -> dict[str, str]:
        """All labels that it has under `labels`; of those that it has not, only as many as are
        asked for, under `then`."""
        shown = {"labels": _listed(self.labels) or "-"}
        rest = islice(self.probabilities.items(), len(self.labels), max(len(self.labels), top or 0))
        then = _listed(dict(rest))
        return shown | ({"then": then} if then else {})

    def row(self, top: int | None = None) -> dict[str, str]:
        """`labels`, apart by bars, and the probability of each of all labels under its name."""
        ranked = islice(self.probabilities.items(), top)
        each = {f"probability of {name}": f"{p:.6f}" for name, p in sorted(ranked)}
        return {"labels": "|".join(self.labels), **each}

    def record(self, top: int | None = None) -> dict[str, Any]:
        """`labels`, `threshold` and `probabilities`, by default of every label."""
        ranked = dict(islice(self.probabilities.items(), top))
        return {
            "labels": list(self.labels),
            "threshold": self.threshold,
            "probabilities": ranked,
        }

    def drawn(self) -> list[Bars]:
        """Every label that it has, and the five likeliest in any case."""
        count = max(len(self.labels), 5)
        return [Bars(dict(islice(self.probabilities.items(), count)))]


def _listed(ranked: Mapping[str, float], *, places: int = 1) -> str:
    return ", ".join(f"{name} {PERCENT.text(p, places=places)}" for name, p in ranked.items())
