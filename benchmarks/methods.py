"""Every method, and the ablations of Adapter-X and iConFormer, on photographs and on radar clouds.

    python benchmarks/methods.py         # several hours; --json for the figures

Recipes, data and splits are those of `sign_digits.py` and `radhar.py`, and so are the finished
trainings under `--photographs` and `--clouds`: an interrupted benchmark goes on. Test accuracy in
percent, mean and standard deviation over seeds. The claim of Adapter-X's paper is: at or above full
fine-tuning, with a small share of its parameters. The claim of iConFormer's: kernels generated from
the input are better than static ones.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import radhar
import sign_digits
from ablations import ABLATIONS, KERNELS
from rich.console import Console
from rich.table import Table

METHODS = (
    *("full", "linear", "arc", "dapt", "smoa", "iconformer"),
    *(f"smoa-{what}" for what in ABLATIONS),
    *(f"iconformer-{what}" for what in KERNELS),
)

Row = dict[str, float]
"""`mean` and `sd` in percent, `parameters` trained, `seeds`."""


def photographs(methods: Sequence[str], seeds: Sequence[int], out: Path) -> dict[str, Row]:
    recipes = [sign_digits.CHOSEN[method] for method in methods]
    jobs = [sign_digits.Job(recipe, seed, False) for recipe in recipes for seed in seeds]
    found = sign_digits.everything(jobs, out, os.cpu_count() or 1)
    return {method: row | {"seeds": len(seeds)} for method, row in sign_digits.table(found).items()}


def clouds(methods: Sequence[str], seeds: Sequence[int], out: Path) -> dict[str, Row]:
    methods = [method for method in methods if method in radhar.VARIANTS]
    found = radhar.compared(methods, seeds, out, Console(stderr=True))
    return {
        method: {
            "mean": 100 * found.mean(method),
            "sd": 100 * found.deviation(method),
            "parameters": runs[0].trained,
            "seeds": len(runs),
        }
        for method, runs in found.runs.items()
    }


def table(columns: dict[str, dict[str, Row]]) -> Table:
    shown = Table()
    shown.add_column("method")
    for name in columns:
        shown.add_column(name, justify="right")
        shown.add_column("trained", justify="right")
    for method in next(iter(columns.values())):
        cells = []
        for column in columns.values():
            row = column.get(method)  # some are for maps alone
            cells += (
                [f"{row['mean']:.1f} ± {row['sd']:.1f} %", f"{row['parameters']:,.0f}"]
                if row
                else ["", ""]
            )
        shown.add_row(method, *cells)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--photographs", type=Path, default=Path("runs/sign_digits"))
    parser.add_argument("--clouds", type=Path, default=Path("runs/radhar"))
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    columns = {
        "photographs": photographs(arguments.methods, arguments.seeds, arguments.photographs),
        "radar clouds": clouds(arguments.methods, arguments.seeds, arguments.clouds),
    }
    print(json.dumps(columns, indent=2)) if arguments.json else Console().print(table(columns))


if __name__ == "__main__":
    main()
