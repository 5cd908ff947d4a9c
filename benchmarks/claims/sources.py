"""Where the data of the claims lie, and radar clouds as files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

CLASSES = ("boxing", "jack", "jump", "squats", "walk")
HELD_OUT = 0.2
"""Share of each activity's training windows to validate on, its last ones: neighbouring windows
overlap, so chance would leak."""


def source(name: str) -> Path:
    """A file or folder in `ONLAY_DATA`, else in `../shared/data` beside the checkout."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get("ONLAY_DATA", beside)) / name
    if not path.exists():
        raise SystemExit(f"no {path}: set ONLAY_DATA to a folder that holds `{name}`")
    return path.resolve()


def activities(out: Path) -> Path:
    """A file for each window, in `train`, `last` and `test`, and there in folders of classes;
    once."""
    if (out / "complete").exists():
        return out
    held = np.load(source("radhar/radhar.npz"))
    last = _last_of_each(held["y_Train"])
    for part, rows in (("train", ~last), ("last", last)):
        _write(out / part, held["x_Train"], held["y_Train"], np.flatnonzero(rows))
    _write(out / "test", held["x_Test"], held["y_Test"], np.arange(len(held["y_Test"])))
    (out / "complete").touch()
    return out


def _write(folder: Path, clouds: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> None:
    for row in rows:
        file = folder / CLASSES[labels[row]] / f"{row:04d}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, clouds[row].astype(np.float32))


def _last_of_each(labels: np.ndarray) -> np.ndarray:
    last = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        last[rows[round(len(rows) * (1 - HELD_OUT)) :]] = True
    return last
