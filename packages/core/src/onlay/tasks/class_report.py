"""What a classification tells of how it was judged; needs scikit-learn.

Shapes: N items, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import confusion_matrix, roc_auc_score
from torch import Tensor

from onlay.errors import DataError
from onlay.reports import PERCENT, Cell, Drawing, Measure, Mistake, Report, Table
from onlay.tasks.confusion import confusion_svg
from onlay.tasks.targets import IGNORED

BINS = 15
"""Of the probabilities, for the calibration error (Guo et al. 2017)."""


def class_report(logits_NC: Tensor, targets_N: Tensor, labels: Sequence[str]) -> Report:
    """Precision, recall and F1 of each class, who is taken for whom, calibration, mistakes; of two
    classes the area under the ROC curve, where the second one is the positive one.

    Raises:
        DataError: no item has a class.
    """
    kept_N = targets_N != IGNORED
    indices = kept_N.nonzero().flatten()
    logits_NC, targets_N = logits_NC.double()[kept_N], targets_N[kept_N]
    if not len(targets_N):
        raise DataError("nothing that was judged has a class: there is no report")
    probabilities_NC = logits_NC.softmax(-1)
    found_N, true_N = logits_NC.argmax(1).numpy(), targets_N.numpy()
    counts_CC = confusion_matrix(true_N, found_N, labels=range(len(labels)))
    metrics, facts = _calibration(probabilities_NC, targets_N), dict[str, Cell]()
    if len(labels) == 2 and len(set(true_N.tolist())) == 2:
        margins_N = logits_NC[:, 1] - logits_NC[:, 0]  # probabilities near 1 would be tied
        metrics["auroc"] = float(roc_auc_score(true_N, margins_N.nan_to_num().numpy()))
        facts["positive_class"] = labels[1]
    return Report(
        metrics=metrics,
        measures={"ece": Measure("%", better="lower"), "auroc": PERCENT},
        facts=facts,
        tables=[_per_class(counts_CC, labels), _confusion(counts_CC, labels)],
        drawings=[Drawing("confusion", "Confusion matrix", confusion_svg(counts_CC, labels))],
        mistakes=_mistakes(probabilities_NC, true_N, indices, labels),
    )


def _calibration(probabilities_NC: Tensor, targets_N: Tensor) -> dict[str, float]:
    """The expected calibration error: the mean over bins of |accuracy - mean probability|, by the
    items in each. A bin holds its upper end, so that the last one holds 1."""
    sure_N, found_N = probabilities_NC.max(1)
    bins_N = (sure_N * BINS).ceil().long().clamp(1, BINS) - 1
    off_N = (found_N == targets_N).double() - sure_N
    off_K = torch.zeros(BINS, dtype=torch.float64).index_add(0, bins_N, off_N)
    return {"ece": float(off_K.abs().sum() / len(off_N))}


def _per_class(counts_CC: np.ndarray, labels: Sequence[str]) -> Table:
    right_C, there_C, found_C = np.diag(counts_CC), counts_CC.sum(1), counts_CC.sum(0)
    precision_C = right_C / np.maximum(found_C, 1)
    recall_C = right_C / np.maximum(there_C, 1)
    f1_C = 2 * right_C / np.maximum(there_C + found_C, 1)
    columns = (values.tolist() for values in (precision_C, recall_C, f1_C, there_C))
    names = ("class", "precision", "recall", "f1", "support")
    shares = frozenset(("precision", "recall", "f1"))
    return Table("per_class", "Classes", names, [*zip(labels, *columns, strict=True)], shares)


def _confusion(counts_CC: np.ndarray, labels: Sequence[str]) -> Table:
    rows = [(label, *map(int, row)) for label, row in zip(labels, counts_CC, strict=True)]
    return Table("confusion", "Confusion", ("true \\ predicted", *labels), rows, shown=False)


def _mistakes(
    probabilities_NC: Tensor, true_N: np.ndarray, indices: Tensor, labels: Sequence[str]
) -> list[Mistake]:
    sure_N, found_N = probabilities_NC.max(1)
    wrong = (found_N != torch.from_numpy(true_N)).nonzero().flatten()
    order = wrong[sure_N[wrong].argsort(descending=True, stable=True)]
    return [
        Mistake(
            index=int(indices[n]),
            said=labels[int(found_N[n])],
            true=labels[int(true_N[n])],
            score=float(sure_N[n]),
            score_text=f"{100 * float(sure_N[n]):.1f} %",
        )
        for n in order.tolist()
    ]
