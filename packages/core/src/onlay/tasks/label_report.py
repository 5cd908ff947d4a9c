"""What several labels tell of how they were judged; needs `torchmetrics`, which `onlay-train`
brings.

Shapes: N items, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from onlay.reports import Mistake, Report, Table
from onlay.tasks.label_metrics import MeanAveragePrecision
from onlay.tasks.label_targets import known


def label_report(
    logits_NC: Tensor, targets_NC: Tensor, labels: Sequence[str], threshold: float
) -> Report:
    """Average precision, precision, recall and F1 of each label, and mistakes. What is unknown is
    left out."""
    return Report(
        tables=[_per_label(logits_NC, targets_NC, labels, threshold)],
        mistakes=_mistakes(logits_NC.float().sigmoid(), targets_NC, labels, threshold),
    )


def _per_label(
    logits_NC: Tensor, targets_NC: Tensor, labels: Sequence[str], threshold: float
) -> Table:
    precisions = MeanAveragePrecision(len(labels))
    precisions.update(logits_NC, targets_NC)
    told_NC = known(targets_NC)
    found_NC = told_NC & (logits_NC.float().sigmoid() >= threshold)
    there_NC = told_NC & (targets_NC >= 0.5)
    right, found, there, told = (
        x.sum(0).tolist() for x in (found_NC & there_NC, found_NC, there_NC, told_NC)
    )
    each_C = precisions.each()
    rows = [
        (
            label,
            "" if not there[c] else float(each_C[c]),
            right[c] / max(found[c], 1),
            right[c] / max(there[c], 1),
            2 * right[c] / max(found[c] + there[c], 1),
            there[c],
            told[c],
        )
        for c, label in enumerate(labels)
    ]
    names = ("label", "average precision", "precision", "recall", "f1", "support", "known")
    return Table("per_label", "Labels", names, rows, frozenset(names[1:5]))


def _mistakes(
    probabilities_NC: Tensor, targets_NC: Tensor, labels: Sequence[str], threshold: float
) -> list[Mistake]:
    """Labels that are found and not there, or there and not found, the surest first."""
    found_NC, there_NC = probabilities_NC >= threshold, targets_NC >= 0.5
    wrong = (known(targets_NC) & (found_NC != there_NC)).nonzero().tolist()
    mistakes = []
    for row, column in wrong:
        found, p = bool(found_NC[row, column]), float(probabilities_NC[row, column])
        said, other = (text.format(labels[column]) for text in ("{}", "not {}"))
        sure = p if found else 1 - p
        pair = (said, other) if found else (other, said)
        mistakes.append(Mistake(row, *pair, score=sure, score_text=f"{100 * sure:.1f} %"))
    return sorted(mistakes, key=lambda mistake: -mistake.score)
