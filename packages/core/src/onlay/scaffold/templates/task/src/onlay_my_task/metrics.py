"""Metrics of the task; needs `torchmetrics`, which `onlay-train` brings.

Shapes: B batch, C classes.
"""

from typing import Any

from torchmetrics import MetricCollection
from torchmetrics.classification import MultilabelExactMatch, MultilabelF1Score

from .head import many_hot


def scores(classes: int, threshold: float) -> MetricCollection:
    """A fresh collection whose `update` takes what the head gives and `loss` takes."""
    return OfLogits(
        {
            "mean_f1": MultilabelF1Score(classes, threshold=threshold),
            "exact_match": MultilabelExactMatch(classes, threshold=threshold),
        }
    )


class OfLogits(MetricCollection):
    """torchmetrics guesses whether it is given logits; this says so."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take in logits (B, C) and targets (B, C) or (B,)."""
        output, targets = args
        probabilities_BC = output.float().sigmoid()
        super().update(probabilities_BC, many_hot(targets, output.shape[1]).int())
