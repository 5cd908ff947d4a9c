"""What maps of classes tell of how they were judged.

Shapes: B batch, N inputs, C classes, `...` the places of maps (B, H, W) or of clouds (B, N).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from onlay.reports import PERCENT, Cell, Drawing, Mistake, Report, Table
from onlay.tasks.class_maps import confusion, intersections_over_unions, scores
from onlay.tasks.confusion import confusion_svg


def confusions(found: Tensor, true: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Of class numbers (B, ...) the confusion matrix of each input (B, C, C), and how many of its
    places have a class (B,)."""
    pairs = zip(found, true, strict=True)
    counts_BCC = torch.stack([confusion(*pair, classes) for pair in pairs])
    return counts_BCC, counts_BCC.sum((1, 2))


def class_map_report(
    counts_NCC: Tensor,
    labels: Sequence[str],
    *,
    places: str,
    inputs: str,
    facts: Mapping[str, str] | None = None,
) -> Report:
    """IoU, precision, recall and places of each class, which is taken for which, inputs by the
    share of wrong places, and what naming the most frequent class everywhere would reach.

    A class that is neither there nor found has no IoU, and no part in the mean. `places` and
    `inputs` are what these are called: `pixels`, `Pictures`; `facts` are what else is told.
    """
    counts_CC = counts_NCC.sum(0)
    constant, reached = _trivial(counts_CC, labels)
    matrix = counts_CC.numpy()
    rows = [(label, *map(int, row)) for label, row in zip(labels, matrix, strict=True)]
    columns = ("true \\ predicted", *labels)
    return Report(
        metrics={"trivial_miou": reached},
        measures={"trivial_miou": PERCENT},
        facts={"trivial": f"{constant} everywhere", **(facts or {})},
        tables=[
            _per_class(counts_CC, labels, places),
            Table("confusion", "Confusion", columns, rows, shown=False),
        ],
        drawings=[Drawing("confusion", "Confusion matrix", confusion_svg(matrix, labels))],
        mistakes=_mistakes(counts_NCC, labels, places),
        mistakes_title=f"{inputs} with most wrong {places}",
    )


def _trivial(counts_CC: Tensor, labels: Sequence[str]) -> tuple[str, float]:
    """The most frequent class, and the mIoU of naming it everywhere."""
    there_C = counts_CC.sum(1)
    most = int(there_C.argmax())
    named_CC = torch.zeros_like(counts_CC)
    named_CC[:, most] = there_C
    return labels[most], float(scores(named_CC, labels)["miou"])


def _per_class(counts_CC: Tensor, labels: Sequence[str], places: str) -> Table:
    right_C, there_C, found_C = counts_CC.diagonal(), counts_CC.sum(1), counts_CC.sum(0)
    iou_C = intersections_over_unions(counts_CC).tolist()
    rows: list[tuple[Cell, ...]] = [
        (
            label,
            "-" if iou != iou else iou,
            _share(right, found),
            _share(right, there),
            there,
        )
        for label, iou, right, found, there in zip(
            labels, iou_C, right_C.tolist(), found_C.tolist(), there_C.tolist(), strict=True
        )
    ]
    names = ("class", "iou", "precision", "recall", places)
    return Table("per_class", "Classes", names, rows, frozenset(names[1:4]))


def _share(part: int, whole: int) -> Cell:
    return part / whole if whole else "-"


def _mistakes(counts_NCC: Tensor, labels: Sequence[str], places: str) -> list[Mistake]:
    """Every input with a wrong place, and which class is most often taken for which there."""
    told_N = counts_NCC.sum((1, 2))
    wrong_NCC = counts_NCC - torch.diag_embed(counts_NCC.diagonal(dim1=1, dim2=2))
    share_N = wrong_NCC.sum((1, 2)) / told_N.clamp(min=1)
    order = share_N.argsort(descending=True, stable=True).tolist()
    found = []
    for index in (n for n in order if share_N[n] > 0):
        true, said = divmod(int(wrong_NCC[index].argmax()), len(labels))
        share = float(share_N[index])
        text = f"{PERCENT.text(share, places=1)} of the {places} wrong"
        found.append(Mistake(index, labels[said], labels[true], share, text))
    return found
