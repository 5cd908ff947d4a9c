"""Every method, its controls and its ablations, on photographs of hands and on radar clouds.

    python benchmarks/methods.py                        # both grids; days on two cores, it goes on
    python benchmarks/methods.py sign_digits --dry-run  # cells and hours of one of them
    python benchmarks/methods.py radhar --only method=linear --set train.epochs=2

The grids are `grids/*.yaml`; what follows their names goes to `onlay compare`. Data are read from
`ONLAY_DATA`, else from `../shared/data` beside the checkout: A. Mavi's Sign Language Digits
(Apache-2.0), in folders `sign_digits/<0..9>`, and RadHAR (BSD-3-Clause, UCLA NESL 2019),
`radhar/radhar.npz`. What grids read is written once below `runs/data`.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TRAIN = 1000
"""Photographs of the training part; the others are the test."""
CLASSES = ("boxing", "jack", "jump", "squats", "walk")
HELD_OUT = 0.2
"""Share of each activity's training windows that a search is judged by."""


def source(name: str) -> Path:
    path = Path(os.environ.get("ONLAY_DATA", HERE.parents[1] / "shared" / "data")) / name
    if not path.exists():
        raise SystemExit(f"no {path}: set ONLAY_DATA to a folder that holds `{name}`")
    return path.resolve()


def sign_digits(out: Path) -> None:
    """A table of the photographs: path, class and part, by one seeded permutation."""
    paths = sorted(source("sign_digits").glob("[0-9]/*.jpg"))
    training = {*np.random.default_rng(0).permutation(len(paths))[:TRAIN].tolist()}
    out.mkdir(parents=True, exist_ok=True)
    with (out / "sign_digits.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "split"))
        for number, path in enumerate(paths):
            rows.writerow((path, path.parent.name, "train" if number in training else "test"))


def radhar(out: Path) -> None:
    """A file for each window, in `train`, `last` and `test`, and there in folders of classes."""
    done = out / "radhar.complete"
    if done.exists():
        return
    for part, label, number, cloud in _windows(source("radhar/radhar.npz")):
        file = out / "radhar" / part / CLASSES[label] / f"{number:04d}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, cloud.astype(np.float32))
    done.touch()


def _windows(path: Path) -> Iterator[tuple[str, int, int, np.ndarray]]:
    held = np.load(path)
    last = _last_of_each(held["y_Train"])
    for number, (cloud, label) in enumerate(zip(held["x_Train"], held["y_Train"], strict=True)):
        yield "last" if last[number] else "train", int(label), number, cloud
    for number, (cloud, label) in enumerate(zip(held["x_Test"], held["y_Test"], strict=True)):
        yield "test", int(label), number, cloud


def _last_of_each(labels: np.ndarray) -> np.ndarray:
    """The last windows of each class: neighbouring windows overlap, so chance would leak."""
    last = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        last[rows[round(len(rows) * (1 - HELD_OUT)) :]] = True
    return last


WRITE: dict[str, Callable[[Path], None]] = {"sign_digits": sign_digits, "radhar": radhar}
"""Grid -> what writes its data."""


def compare(name: str, words: list[str]) -> int:
    """One grid, in `runs/NAME`, from the folder of the checkout; gives the exit status."""
    root = HERE.parent
    WRITE[name](root / "runs" / "data")
    grid, out = HERE / "grids" / f"{name}.yaml", root / "runs" / name
    command = [sys.executable, "-m", "onlay", "compare", str(grid), "--out", str(out), *words]
    print(f"\n## {name}\n", flush=True)
    return subprocess.run(command, check=False, cwd=root).returncode


def main() -> None:
    words = sys.argv[1:]
    if {"-h", "--help"} & {*words}:
        print(__doc__)
        return
    names = [word for word in words if word in WRITE]
    rest = [word for word in words if word not in WRITE]
    raise SystemExit(max(compare(name, rest) for name in names or WRITE))


if __name__ == "__main__":
    main()
