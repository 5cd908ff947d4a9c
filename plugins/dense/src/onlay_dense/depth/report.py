"""What depths tell of how they were judged; needs `torchmetrics`, which `onlay-train` brings.

Shapes: B batch, H and W pixels, N pictures, K metrics, P valid pixels of a picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onlay.reports import Measure, Mistake, Report, Table
from onlay_dense.depth.metrics import AVERAGED, of_picture
from onlay_dense.depth.valid import Crop, judged, known

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the pictures, that lie below the numbers of a table."""


def condensed(
    output_BHW: Tensor, targets_BHW: Tensor, low: float, high: float, crop: Crop
) -> tuple[Tensor, Tensor]:
    """Of each picture its metrics and the median depth that is told (B, K + 1), no numbers where it
    has no valid pixel, and the true median (B,)."""
    rows, medians = [], []
    both = (x.detach().cpu().double() for x in (output_BHW, targets_BHW))
    for told_HW, true_HW in zip(*both, strict=True):
        told_HW, true_HW = judged(told_HW, true_HW, crop)
        valid_HW = known(true_HW, low, high)
        told_P, true_P = told_HW[valid_HW].clamp(low, high), true_HW[valid_HW]
        if len(true_P):
            rows.append(torch.cat([of_picture(told_P, true_P), told_P.median()[None]]))
            medians.append(true_P.median())
        else:
            rows.append(torch.full((len(AVERAGED) + 1,), torch.nan).double())
            medians.append(torch.tensor(torch.nan).double())
    return torch.stack(rows), torch.stack(medians)


def depth_report(rows_NK: Tensor, medians_N: Tensor, unit: str) -> Report:
    """How metrics are spread over pictures, and the pictures with the largest relative errors."""
    kept = (~medians_N.isnan()).nonzero().flatten()
    metrics_NK = rows_NK[kept, :-1]
    quantiles = [metrics_NK.quantile(share, dim=0).tolist() for share in SHARES]
    table = [(name, *each) for name, *each in zip(AVERAGED, *quantiles, strict=True)]
    columns = ("metric", *(f"{100 * share:.0f} % below" for share in SHARES))
    errors_N = metrics_NK[:, AVERAGED.index("abs_rel")]
    measure, found = Measure(unit), list[Mistake]()
    for place in errors_N.argsort(descending=True, stable=True).tolist():
        index, error = int(kept[place]), float(errors_N[place])
        medians = float(rows_NK[index, -1]), float(medians_N[index])
        said, true = (f"median {measure.text(depth)}" for depth in medians)
        found.append(Mistake(index, said, true, error, f"abs_rel {error:.3f}"))
    return Report(
        tables=[Table("per_picture", "Metrics of pictures", columns, table)] if len(kept) else [],
        mistakes=found,
        mistakes_title="Largest relative errors",
    )
