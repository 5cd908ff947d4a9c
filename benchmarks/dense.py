"""Every method on dense tasks: masks of nuclei on two decoders, depths of rendered rooms.

    python benchmarks/dense.py            # what is missing under --out, then the tables
    python benchmarks/dense.py --dry-run  # what is missing, and about how long it takes
    python benchmarks/dense.py --tables   # of what is there

The bundled backbone at 64 pixels. Each method gets three trials, at three rates with a seed of
their own, which the validation part judges; the best rate is then trained with three seeds, and
only these see the test part. `nuclei` lies in `ONLAY_DATA`, else in `../shared/data` beside the
checkout. Finished trainings are kept under `--out`, and one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from dense_cells import DATA, EPOCHS, GROUPS, METHODS, SEEDS, Cell, trials
from dense_judged import components_ap, on_training, trivial
from dense_tables import aims, ended, table
from rich.console import Console

from onlay import PluginHost
from onlay.errors import RunError
from onlay.machine.disk import write_text
from onlay_train.compare import trained

SECONDS = {"linear": 3.0, "dpt": 4.5}
"""About what an epoch takes of a processor, over all methods."""

Measured = dict[str, Any]


def work(cell: Cell, out: Path) -> Measured:
    """Train and judge, or read what an earlier run found."""
    file = out / f"{cell.name}.json"
    if file.exists():
        return json.loads(file.read_text())
    torch.set_num_threads(1)
    found = _measured(cell, out / "runs" / cell.name)
    write_text(file, json.dumps(found, indent=2) + "\n")
    return found


def _measured(cell: Cell, folder: Path) -> Measured:
    host, content, quiet = PluginHost.discover(), cell.run(), Console(file=StringIO())
    try:
        summary = trained(content, {}, folder, host, quiet)
    except RunError as error:
        if "loss is" not in str(error):
            raise
        return {"rate": cell.rate, "score": math.nan, "diverged": str(error)}
    score = summary.metrics[f"validation_{summary.main_metric}"]
    sign = 1 if summary.measure(summary.main_metric).better == "higher" else -1
    found = {"rate": cell.rate, "score": sign * score, "parameters": summary.parameters["method"]}
    found["parameters"] += summary.parameters["other"]
    if cell.search:
        return found
    found |= summary.metrics
    found |= {f"train_{name}": value for name, value in on_training(folder, host).items()}
    if cell.data == "nuclei":
        found["mask_ap"] = components_ap(folder, content, host)
    return found


def everything(cells: Sequence[Cell], out: Path, processes: int) -> dict[Cell, Measured]:
    """One line each as it comes, for the patient."""
    found = {}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(work, cell, out): cell for cell in cells}
        for future in as_completed(futures):
            cell = futures[future]
            found[cell] = future.result()
            print(f"{cell.name}: {found[cell]['score']:.4f}", flush=True)
    return found


def there(cells: Sequence[Cell], out: Path) -> dict[Cell, Measured]:
    """What is measured of them so far."""
    files = {cell: out / f"{cell.name}.json" for cell in cells}
    return {cell: json.loads(file.read_text()) for cell, file in files.items() if file.exists()}


def chosen(found: dict[Cell, Measured]) -> Iterator[Cell]:
    """Of each method the best rate, with every seed; one that diverged is none."""
    for method in dict.fromkeys(cell.method for cell in found):
        own = [cell for cell in found if cell.method == method]
        best = max(
            own, key=lambda cell: (not math.isnan(found[cell]["score"]), found[cell]["score"])
        )
        yield from (Cell(best.data, best.decoder, method, best.rate, seed) for seed in SEEDS)


def show(data: str, decoder: str, found: dict[Cell, Measured]) -> None:
    runs: dict[str, list[Measured]] = {}
    for cell in sorted(found, key=lambda cell: (list(METHODS).index(cell.method), cell.seed)):
        runs.setdefault(cell.method, []).append(found[cell])
    if not runs:
        return
    kept, told = ended(runs)
    blind = trivial(next(iter(found)).run(), PluginHost.discover())
    print(f"\n{data}, decoder `{decoder}`\n\n{table(data, kept, blind)}\n")
    print("\n".join([*aims(data, kept), *told]), flush=True)


def left(group: tuple[str, str], methods: Sequence[str], out: Path) -> list[Cell]:
    """What is not measured; until a method's trials are, its first rate stands for the best."""
    missing = []
    for method in methods:
        tried = list(trials(*group, [method]))
        known = there(tried, out)
        unknown = [replace(tried[0], seed=seed) for seed in SEEDS]
        tested = chosen(known) if len(known) == len(tried) else unknown
        wanted = [*tried, *tested]
        missing += [cell for cell in wanted if cell not in there(wanted, out)]
    return missing


def announce(group: tuple[str, str], cells: Sequence[Cell]) -> None:
    for method in dict.fromkeys(cell.method for cell in cells):
        own = [cell.search for cell in cells if cell.method == method]
        print(f"{'-'.join(group)}-{method}: {own.count(True)} trials, {own.count(False)} tests")
    minutes = len(cells) * EPOCHS * SECONDS[group[1]] / 60
    print(f"{'-'.join(group)}: {len(cells)} trainings, {minutes:.0f} minutes of a processor\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=DATA)
    parser.add_argument("--out", type=Path, default=Path("runs/dense"))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dry-run", action="store_true", help="say what is missing")
    parser.add_argument("--tables", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    out = arguments.out
    for group in [group for group in GROUPS if group[0] in arguments.data]:
        if arguments.dry_run:
            announce(group, left(group, arguments.methods, out))
            continue
        wanted = list(trials(*group, arguments.methods))
        if arguments.tables:
            show(*group, there(list(chosen(there(wanted, out))), out))
            continue
        searched = everything(wanted, out, arguments.processes)
        show(*group, everything(list(chosen(searched)), out, arguments.processes))


if __name__ == "__main__":
    main()
