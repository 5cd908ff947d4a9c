"""What a head says that answers with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onlay.reports import Measure


@dataclass(frozen=True)
class NumbersAnswer:
    """Numbers by name, in their own unit."""

    numbers: Mapping[str, float]
    units: Mapping[str, str]
    """Of each; empty where it has none."""

    def line(self) -> str:
        """`17.95 cm`; of several numbers `height 17.95 cm, weight 3.1 kg`."""
        texts = self.cells()
        if len(texts) == 1:
            return next(iter(texts.values()))
        return ", ".join(f"{name} {text}" for name, text in texts.items())

    def cells(self, top: int | None = None) -> dict[str, str]:
        """Each number under its name."""
        return {n: Measure(self.units[n]).text(x) for n, x in self.numbers.items()}

    def row(self, top: int | None = None) -> dict[str, float]:
        """Each number under its name."""
        return dict(self.numbers)

    def record(self, top: int | None = None) -> dict[str, Any]:
        """`numbers` by name, and `units` where there are any."""
        units = {name: unit for name, unit in self.units.items() if unit}
        return {"numbers": dict(self.numbers), **({"units": units} if units else {})}
