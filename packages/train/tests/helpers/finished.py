"""A cell that is done, without a training."""

from __future__ import annotations

from onlay.reports import Measure
from onlay_train.grid.state import CellFolder
from onlay_train.summary import Summary

SCORES = {"full": [0.80, 0.82, 0.84], "noisy": [0.90, 0.91, 0.95], "linear": [0.5, 0.5, 0.5]}
"""Of the methods of a comparison, by seed."""


def finish(
    folder: CellFolder,
    cell,
    score: float,
    trained: int = 100,
    selection: str = "last",
    measure: Measure | None = None,
) -> None:
    folder.place(cell)
    folder.run.append({"epoch": 1, "step": 10, "train_loss": 0.25, "seconds": 2.0})
    metrics = {"test_top1": score, "train_top1": 1.0, "validation_top1": score}
    counts = {"method": trained, "head": 10, "other": 0, "backbone": 1000}
    facts = {"folder": "", "method": cell.labels["method"], "backbone": "tiny", "device": "cpu"}
    sizes = {"peak_bytes": 2**20, "bundle_bytes": 2048, "seconds": 2.0}
    told = {"main_metric": "top1", "metrics": metrics, "selection": selection, "parameters": counts}
    order = {"chosen_epoch": 1, "epochs": 1, "seed": 0}
    told |= {"measures": {"top1": measure}} if measure else {}
    folder.run.finish(Summary(**facts, **sizes, **told, **order).text())
