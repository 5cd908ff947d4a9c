"""Parameters, always told as method, head and other; a head may tell some of its parts apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainableReport:
    """How many parameters train, and of what."""

    method: int
    """What the method adds to the backbone."""
    head: int
    """The task's head, its parts included."""
    other: int
    """Trainable copies of the backbone's own tensors (biases, norms, class token, everything for
    `full`)."""
    backbone: int
    """The frozen backbone as it was pretrained, without its classifier."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Of the head: what it tells apart, such as `neck` and `decoder`."""

    @property
    def trainable(self) -> int:
        return self.method + self.head + self.other

    @property
    def share(self) -> float:
        """Trainable parameters, head included, in percent of the backbone."""
        return 100 * self.trainable / self.backbone

    @property
    def counts(self) -> dict[str, int]:
        """`method`, `head` without its parts, each part, `other`: together all that trains.

        >>> TrainableReport(5, 30, 1, 100, {"neck": 8, "decoder": 20}).counts
        {'method': 5, 'head': 2, 'neck': 8, 'decoder': 20, 'other': 1}
        """
        rest = self.head - sum(self.parts.values())
        return {"method": self.method, "head": rest, **self.parts, "other": self.other}

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        return (
            f"trains {self.trainable:,} parameters ({self.share:.2f} % of the backbone's"
            f" {self.backbone:,}): {told}"
        )


def parts_of(head: Any) -> dict[str, int]:
    """How many parameters train in each of the `parts` that a head tells apart; one that two parts
    share counts in the first."""
    seen: set[int] = set()
    found: dict[str, int] = {}
    for name, module in getattr(head, "parts", {}).items():
        own = [p for p in module.parameters() if p.requires_grad and id(p) not in seen]
        seen |= {id(p) for p in own}
        found[name] = sum(p.numel() for p in own)
    return found
