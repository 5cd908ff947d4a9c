"""What a comparison costs beside its trainings, in processor time of all processes.

    python benchmarks/scheduling.py            # both parts, about three minutes
    python benchmarks/scheduling.py cells      # or finished, alone

`cells`: the same small trainings as a grid, by `onlay train` in a process each, and by the bare
training function, one after the other in one process. The aim: at most 0.3 s a cell over `onlay
train`. A grid of few cells and one of many tell what a cell costs, and what a start costs before
it. `finished`: a grid of 1,000 cells that are done, written by this script, is started again. Aims:
within 2 s, without torch, a page of at most 3 MB. Linux alone: it waits for orphans, too.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FEW, MANY = 2, 10
_SUBREAPER = 36
"""Of `prctl`: processes whose parents end become children of this one, which waits for them."""
WARM = """
import json, sys, time
from pathlib import Path
from rich.console import Console
import onlay_train.grid.executors.warm
from onlay.config import load
from onlay.host import PluginHost
from onlay_train.run import train
out, *files = json.loads(sys.argv[1])
taken = []
for number, file in enumerate(files):
    before = time.process_time()
    host = PluginHost.discover()
    config = load(Path(file), [f"out={out}/{number}"], host)
    train(config, host, console=Console(quiet=True))
    taken.append(time.process_time() - before)
print(json.dumps(taken))
"""
BASE = {
    "backbone": "onlay_vit_64",
    "train": {"epochs": 2, "batch_size": 8, "trackers": [], "num_workers": 0},
}
SETS = ("signs", "cells", "flowers", "leaves", "satellite_scenes_of_the_north")
METHODS = [
    *("linear", "full", "bitfit", "arc", "iconformer", "lora", "ssf"),
    *({"name": "smoa", "experts": 4}, {"name": "smoa", "experts": 16}),
    {"name": "adaptformer", "bottleneck": 8},
]


@dataclass(frozen=True)
class Cost:
    """What a command took, with all processes below it."""

    cpu: float
    wall: float
    said: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=["cells", "finished", []], default=[])
    parser.add_argument("--many", type=int, default=MANY, help="cells of the larger grid")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for part in arguments.parts or ("cells", "finished"):
            cells(folder, arguments.many) if part == "cells" else finished(folder)


def cost(words: Sequence[str], folder: Path) -> Cost:
    """Run a command; raises where it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    wall = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    while True:  # what warms imports ends a moment after the scheduler
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(cpu, wall, done.stdout)


def onlay(*words: str) -> list[str]:
    return [sys.executable, "-m", "onlay", *words]


# --- cells ----------------------------------------------------------------------------------------


def cells(folder: Path, many: int) -> None:
    draw(folder / "pictures")
    few, all_of_them = (as_grid(folder, count) for count in (FEW, many))
    files = sorted(folder.glob(f"grid-{many}/cells/*/config.yaml"))
    assert len(files) == many
    alone = [cost(onlay("train", str(f), f"out=alone/{f.parent.name}"), folder).cpu for f in files]
    given = json.dumps(["warm", *map(str, files)])
    warm = json.loads(cost([sys.executable, "-c", WARM, given], folder).said)[1:]
    each = (all_of_them.cpu - few.cpu) / (many - FEW)
    bare, process = sum(warm) / len(warm), sum(alone) / many
    print(f"cells: {many} trainings of two epochs, CPU seconds of all processes")
    rows = {
        "the training function, in a process that is warm": bare,
        "a cell of a grid": each,
        "a cell over the training function": each - bare,
        "`onlay train`, a process each": process,
        "a cell over `onlay train`": each - process,
        "a start of a grid, before its cells": few.cpu - FEW * each,
        f"a whole grid of {many}, by cell": all_of_them.cpu / many,
        "... over `onlay train`": all_of_them.cpu / many - process,
    }
    print("\n".join(f"{what:<50}{seconds:8.2f}" for what, seconds in rows.items()), flush=True)


def draw(folder: Path) -> None:
    """Pictures of noise, a few in each part."""
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 4), ("test", 4)):
        for number in range(2 * count):
            path = folder / part / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = chance.integers(256, size=(64, 64, 3), dtype=np.uint8)
            Image.fromarray(noise).save(path)


def as_grid(folder: Path, count: int) -> Cost:
    """Train a grid of so many cells in a folder of its own."""
    grid = {
        "grid": {"method": ["linear", "arc"], "train.seed": list(range(count // 2))},
        "base": {**BASE, "data": {"name": "image_folder", "path": "pictures"}},
        "where": {"name": "local", "jobs": 1, "threads": 1},
    }
    file = folder / f"grid-{count}.yaml"
    file.write_text(json.dumps(grid), encoding="utf-8")  # JSON is YAML
    return cost(onlay("compare", file.name, "--out", f"grid-{count}"), folder)


# --- a finished grid ------------------------------------------------------------------------------


def finished(folder: Path) -> None:
    root = folder / "thousand"
    count = write(root)
    words = onlay("compare", "thousand.yaml", "--out", "thousand")
    (folder / "thousand.yaml").write_text((root / "grid.yaml").read_text())
    first, second = cost(words, folder), min((cost(words, folder) for _ in range(3)), key=_cpu)
    page = (root / "report" / "index.html").read_text(encoding="utf-8")
    rows = page.partition("<table id=cells>")[2].partition("</table>")[0].count("<tr>") - 1
    print(f"finished: {count} cells that are done")
    for what, each in (("the first, which writes the report", first), ("the second", second)):
        print(f"{what:<40}{each.cpu:6.2f} s CPU {each.wall:6.2f} s wall")
    print(f"a start imports {'torch' if imports(words, 'torch', folder) else 'no torch'}")
    print(f"its page: {len(page.encode()) / 1e6:.2f} MB, {rows} cells in its table")


def imports(words: Sequence[str], module: str, folder: Path) -> bool:
    """Whether a command of Python's imports a module."""
    noted = [words[0], "-X", "importtime", *words[1:]]
    done = subprocess.run(noted, cwd=folder, capture_output=True, text=True, check=True)
    return any(line.split("|")[-1].strip() == module for line in done.stderr.splitlines())


def _cpu(each: Cost) -> float:
    return each.cpu


def write(root: Path) -> int:
    """A grid of 1,000 cells that are done, with figures by chance."""
    from onlay.host import PluginHost
    from onlay_train.grid.facts import keys_of, write_facts
    from onlay_train.grid.file import parsed
    from onlay_train.grid.plan import make_plan

    host, known = PluginHost.discover(), {}
    grid = {
        "grid": {
            "method": METHODS,
            "data": [{"name": "image_folder", "path": name} for name in SETS],
            "train.seed": list(range(20)),
        },
        "base": {"backbone": "onlay_vit_64", "train": {"epochs": 60}},
    }
    root.mkdir()
    (root / "grid.yaml").write_text(json.dumps(grid), encoding="utf-8")
    read = parsed(grid, host)
    for _, config in make_plan(read, host, root, {}).drawn.runs:
        known |= {key: f"{key}0000" for key in keys_of(config).values()}
    write_facts(root / "facts.json", known)
    plan, chance = make_plan(read, host, root, known), random.Random(0)
    for cell in plan.cells():
        _finish(plan.folder(cell), cell, chance)
    return len(plan.cells())


def _finish(folder: Any, cell: Any, chance: random.Random) -> None:
    from onlay_train.summary import Summary

    folder.place(cell)
    folder.run.bundle.mkdir()
    folder.run.checkpoint.touch()
    losses = ({"epoch": e, "step": 10 * e, "train_loss": 2 / e, "seconds": e} for e in (1, 2))
    folder.run.metrics.write_text("".join(json.dumps(line) + "\n" for line in losses))
    score = round(chance.gauss(0.7, 0.05), 4)
    summary = Summary(
        folder="",
        method="",
        backbone="",
        main_metric="top1",
        metrics={"train_top1": 0.9, "validation_top1": score, "test_top1": score},
        selection="last",
        chosen_epoch=60,
        epochs=60,
        seed=0,
        parameters={"method": 9_600, "head": 1_930, "other": 0, "backbone": 2_700_000},
        seconds=20.0 + chance.random(),
        peak_bytes=160_000_000,
        device="cpu",
        bundle_bytes=55_000,
    )
    folder.run.summary.write_text(summary.text())


if __name__ == "__main__":
    main()
