"""How fast the command line answers: warm medians beside a bare interpreter.

    python benchmarks/cli.py            # about 20 seconds; --json for the figures as JSON

The commands take turns in every round; a ratio is the median over rounds. CPU time stands beside
wall time because a busy machine stretches the latter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ONLAY = str(Path(sys.executable).with_name("onlay"))
COMMANDS = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "onlay --help": [ONLAY, "--help"],
    "onlay plugins": [ONLAY, "plugins"],
}
BUDGET_MS = {"onlay --help": 150, "onlay plugins": 300}


def milliseconds(command: list[str]) -> tuple[float, float]:
    """Wall and CPU. Bytecode must be allowed: without it every start compiles every module."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user - before.children_user + after.children_system
    return 1000 * wall, 1000 * (cpu - before.children_system)


def measure(rounds: int) -> dict[str, dict[str, float]]:
    for command in COMMANDS.values():
        milliseconds(command)
    taken = [{name: milliseconds(c) for name, c in COMMANDS.items()} for _ in range(rounds)]
    return {
        name: {
            "wall_ms": median(t[name][0] for t in taken),
            "quietest_ms": min(t[name][0] for t in taken),
            "cpu_ms": median(t[name][1] for t in taken),
            "wall_ratio": median(t[name][0] / t["bare interpreter"][0] for t in taken),
        }
        for name in COMMANDS
    }


def show(table: dict[str, dict[str, float]]) -> None:
    heads = ("wall ms", "quietest", "CPU ms", "ratio", "at most")
    print(f"{'command':<18}" + "".join(f"{head:>10}" for head in heads))
    for name, row in table.items():
        wall, quietest, cpu, ratio = row.values()
        budget = f"{BUDGET_MS[name]} ms" if name in BUDGET_MS else ""
        print(f"{name:<18}{wall:>10.0f}{quietest:>10.0f}{cpu:>10.0f}{ratio:>10.1f}{budget:>10}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    table = measure(arguments.rounds)
    print(json.dumps(table, indent=2)) if arguments.json else show(table)


if __name__ == "__main__":
    main()
