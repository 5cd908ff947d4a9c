"""What numbers tell of how they were judged; needs `torchmetrics`, which `onlay-train` brings.

Shapes: N items, C numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from onlay.reports import Measure, Mistake, Report, Table
from onlay.tasks.number_metrics import ErrorOfNumbers

if TYPE_CHECKING:
    from onlay.tasks.regression import RegressionHead


def number_report(head: RegressionHead, outputs_NC: Tensor, targets_NC: Tensor) -> Report:
    """`mae`, `rmse` and `r2` of each number; as mistakes all items, the largest errors, in units of
    the scaling, first."""
    return Report(
        tables=[_per_number(head, outputs_NC, targets_NC)],
        mistakes=_errors(head, outputs_NC, targets_NC),
        mistakes_title="Largest errors",
    )


def _per_number(head: RegressionHead, outputs_NC: Tensor, targets_NC: Tensor) -> Table:
    columns = []
    for kind in ("mae", "rmse", "r2"):
        metric = ErrorOfNumbers(kind, head.scale)
        metric.update(outputs_NC, targets_NC)
        columns.append(metric.each().tolist())
    units = (head.units[label] for label in head.labels)
    rows = [*zip(head.labels, units, *columns, strict=True)]
    return Table("per_number", "Numbers", ("number", "unit", "mae", "rmse", "r2"), rows)


def _errors(head: RegressionHead, outputs_NC: Tensor, targets_NC: Tensor) -> list[Mistake]:
    """The worst number of each item."""
    errors_NC = (outputs_NC - targets_NC).abs() / head.scale.cpu()
    worst_N, place_N = errors_NC.max(1)
    found = []
    for n in worst_N.argsort(descending=True, stable=True).tolist():
        place = int(place_N[n])
        name, measure = head.labels[place], Measure(head.units[head.labels[place]])
        said, true = float(outputs_NC[n, place]), float(targets_NC[n, place])
        before = f"{name} " if len(head.labels) > 1 else ""
        error = f"off by {measure.text(abs(said - true))}"
        pair = (before + measure.text(said), before + measure.text(true))
        found.append(Mistake(n, *pair, score=float(worst_N[n]), score_text=error))
    return found
