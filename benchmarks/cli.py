"""How fast the command line answers: warm medians beside a bare interpreter.

    python benchmarks/cli.py            # about 20 seconds; --json for the figures as JSON

The three commands take turns in every round, and a ratio is the median over rounds.
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

INLAY = str(Path(sys.executable).with_name("inlay"))
COMMANDS = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "inlay --help": [INLAY, "--help"],
    "inlay plugins": [INLAY, "plugins"],
}
BUDGET_MS = {"inlay --help": 150.0, "inlay plugins": 300.0}


def milliseconds(command: list[str]) -> float:
    """Bytecode must be allowed: without it every start compiles every module."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return 1000 * (time.perf_counter() - start)


def measure(rounds: int) -> dict[str, dict[str, float]]:
    for command in COMMANDS.values():
        milliseconds(command), milliseconds(command)
    taken = [{name: milliseconds(c) for name, c in COMMANDS.items()} for _ in range(rounds)]
    return {
        name: {
            "ms": median(t[name] for t in taken),
            "quietest_ms": min(t[name] for t in taken),
            "ratio": median(t[name] / t["bare interpreter"] for t in taken),
        }
        for name in COMMANDS
    }


def show(table: dict[str, dict[str, float]]) -> None:
    print(f"{'command':<20}{'median ms':>11}{'quietest':>10}{'ratio':>8}{'at most':>10}")
    for name, row in table.items():
        budget = f"{BUDGET_MS[name]:.0f} ms" if name in BUDGET_MS else ""
        numbers = f"{row['ms']:>11.0f}{row['quietest_ms']:>10.0f}{row['ratio']:>8.1f}"
        print(f"{name:<20}{numbers}{budget:>10}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    table = measure(arguments.rounds)
    print(json.dumps(table, indent=2)) if arguments.json else show(table)


if __name__ == "__main__":
    main()
