"""What is said of one history."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from onlay.reports import PERCENT
from onlay.task import Bars, numbered


@dataclass(frozen=True)
class NextItems:
    """The likeliest next items with their probabilities, the likeliest first."""

    probabilities: Mapping[str, float]

    def line(self) -> str:
        """`next: tea 40 %`."""
        item, probability = next(iter(self.probabilities.items()))
        return f"next: {item} {PERCENT.text(probability, places=0)}"

    def cells(self, top: int | None = None) -> dict[str, str]:
        """The likeliest three, or as many as are asked for, a column each."""
        ranked = islice(self.probabilities.items(), top or 3)
        return {
            f"{place}.": f"{item} {PERCENT.text(p, places=0)}"
            for place, (item, p) in enumerate(ranked, 1)
        }

    def row(self, top: int | None = None) -> dict[str, str]:
        """`item`, `probability`, `item_2` and so on."""
        return numbered("item", "probability", self.probabilities, top or 1)

    def record(self, top: int | None = None) -> dict[str, Any]:
        """The items in order, and their probabilities."""
        ranked = dict(islice(self.probabilities.items(), top))
        return {"items": list(ranked), "probabilities": list(ranked.values())}

    def drawn(self) -> list[Bars]:
        """All of them."""
        return [Bars(self.probabilities)]
