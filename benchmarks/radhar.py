"""Every method on radar clouds of people in five activities, with the bundled backbone.

    python benchmarks/radhar.py            # three seeds, a table; --json for the figures
    python benchmarks/radhar.py --search   # half and twice each recipe's rate, on validation

The data are RadHAR's (BSD-3-Clause, UCLA NESL 2019), `radhar/radhar.npz` in `ONLAY_DATA`, else in
`../shared/data` beside the checkout: 2,484 windows to train on, 1,042 of other recordings for the
test. Recipes are chosen on the last fifth of each activity's training windows, never on the test
part. A random forest on quantiles and covariances of the coordinates reaches 86.6 % there. Finished
trainings are kept under `--out`: an interrupted benchmark goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ablations import ABLATIONS, KERNELS
from rich.console import Console

from onlay import PluginHost
from onlay.config.overrides import merged
from onlay_train.compare import Comparison, compare

CLASSES = ("boxing", "jack", "jump", "squats", "walk")
HELD_OUT = 0.2
FOREST = 86.6
"""Percent; from the description of the data."""

HEAD = {"name": "classification", "head_norm": "batch"}
BASE = {
    "backbone": "onlay_points",
    "data": {"name": "cloud_folder", "val_size": 0, "preprocess": {"augment": "isotropic"}},
    "task": HEAD,
    "train": {"epochs": 6, "batch_size": 32, "weight_decay": 0.05},
}


def smoa(**fields: Any) -> dict[str, Any]:
    """Adapter-X with DAPT's experts, as in the paper's 3D form; without prompts none are pooled."""
    pool = "cls+prompts+max" if fields.get("prompts", True) else "cls+max"
    method = {"name": "smoa", "base": "dapt", "scale": 4.0, **fields}
    return {"method": method, "task": {"pool": pool}, "train": {"lr": 4e-3}}


def iconformer(**fields: Any) -> dict[str, Any]:
    """Rate and scale compared on validation over two epochs, one seed: (5e-4, 1e-3, 2e-3, 4e-3) at
    scale 1, 4e-3 with `kernel_norm: filter`, and (1e-3, 4e-3) at 0.1."""
    method = {"name": "iconformer", "scale": 1.0, **fields}
    return {"method": method, "task": {"pool": "cls+max"}, "train": {"lr": 1e-3}}


VARIANTS: dict[str, dict[str, Any]] = {
    "linear": {"method": "linear", "task": {"pool": "cls+mean+max"}, "train": {"lr": 2e-2}},
    "arc": {"method": "arc", "task": {"pool": "cls+max"}, "train": {"lr": 4e-3}},
    "dapt": {"method": "dapt", "task": {"pool": "cls+prompts+max"}, "train": {"lr": 4e-3}},
    "smoa": smoa(),
    **{f"smoa-{what}": smoa(**fields) for what, fields in ABLATIONS.items()},
    "iconformer": iconformer(),
    **{  # `conv_pool` needs a map
        f"iconformer-{what}": iconformer(**fields)
        for what, fields in KERNELS.items()
        if what != "conv-pool"
    },
    "full": {"method": "full", "task": {"pool": "cls+max"}, "train": {"lr": 1e-3}},
}


def source() -> Path:
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("ONLAY_DATA", beside)) / "radhar" / "radhar.npz"
    if not path.is_file():
        raise SystemExit(f"no file {path}: set ONLAY_DATA to a folder that holds `radhar`")
    return path


def unpack(folder: Path, *, search: bool) -> Path:
    """Write one file for each window, in folders of parts and classes, once."""
    folder = folder / ("clouds-search" if search else "clouds")
    if (folder / "complete").exists():
        return folder
    held = np.load(source())
    parts = {"train": (held["x_Train"], held["y_Train"]), "test": (held["x_Test"], held["y_Test"])}
    if search:
        clouds, labels = parts.pop("train")
        last = _last_of_each(labels)
        parts = {"train": (clouds[~last], labels[~last]), "val": (clouds[last], labels[last])}
    for part, (clouds, labels) in parts.items():
        for number, (cloud, label) in enumerate(zip(clouds, labels, strict=True)):
            file = folder / part / CLASSES[label] / f"{number:04d}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, cloud.astype(np.float32))
    (folder / "complete").touch()
    return folder


def _last_of_each(labels: np.ndarray) -> np.ndarray:
    """The last windows of each class: neighbouring windows overlap, so chance would leak."""
    last = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        last[rows[round(len(rows) * (1 - HELD_OUT)) :]] = True
    return last


def candidates(variants: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each recipe at a half, at once and at twice its learning rate."""
    found = {}
    for label, variant in variants.items():
        for factor in (0.5, 1, 2):
            lr = factor * variant["train"]["lr"]
            found[f"{label}-{lr:g}"] = merged(variant, {"train": {"lr": lr}})
    return found


def compared(
    methods: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    console: Console,
    *,
    epochs: int | None = None,
    search: bool = False,
) -> Comparison:
    """Train what is not yet trained under `out`."""
    base = merged(BASE, {"data": {"path": str(unpack(out, search=search))}})
    if epochs:
        base = merged(base, {"train": {"epochs": epochs}})
    variants = {label: VARIANTS[label] for label in methods}
    variants = candidates(variants) if search else variants
    runs, host = out / ("search" if search else "runs"), PluginHost.discover()
    return compare(base, variants, out=runs, host=host, seeds=seeds, console=console)


def verdict(found: Comparison) -> list[str]:
    """DAPT beside what it should reach, in points of test accuracy."""
    score = {label: 100 * found.mean(label) for label in found.runs}
    score["random forest"] = FOREST
    aims = {"full": -1, "linear": 3, "random forest": 0}
    return [
        f"dapt - {other}: {score['dapt'] - score[other]:+.2f} points (at least {aim:+d})"
        for other, aim in aims.items()
        if {"dapt", other} <= score.keys()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--search", action="store_true", help="judge candidates on validation")
    parser.add_argument("--methods", nargs="+", default=["full", "dapt", "linear"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="fewer or more than the recipes say")
    parser.add_argument("--out", type=Path, default=Path("runs/radhar"))
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    console = Console(stderr=arguments.json)
    seeds = [0] if arguments.search else arguments.seeds
    found = compared(
        arguments.methods,
        seeds,
        arguments.out,
        console,
        epochs=arguments.epochs,
        search=arguments.search,
    )
    if arguments.json:
        print(json.dumps(found.dump(), indent=2))
        return
    console.print(found.table("radar clouds of five activities"))
    for line in [] if arguments.search else verdict(found):
        console.print(line, highlight=False)


if __name__ == "__main__":
    main()
