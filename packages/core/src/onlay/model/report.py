"""Parameters, always as three numbers: method, head, other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainableReport:
    """How many parameters train, and of what."""

    method: int
    """What the method adds to the backbone."""
    head: int
    """The task's head."""
    other: int
    """Trainable copies of the backbone's own tensors (biases, norms, class token, everything for
    `full`)."""
    backbone: int
    """The frozen backbone as it was pretrained, without its classifier."""

    @property
    def trainable(self) -> int:
        return self.method + self.head + self.other

    @property
    def share(self) -> float:
        """Trainable parameters, head included, in percent of the backbone."""
        return 100 * self.trainable / self.backbone

    def __str__(self) -> str:
        return (
            f"trains {self.trainable:,} parameters ({self.share:.2f} % of the backbone's"
            f" {self.backbone:,}): method {self.method:,}, head {self.head:,}, other {self.other:,}"
        )
