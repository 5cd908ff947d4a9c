"""Feeds malformed files to every reader and command, and says what became of each.

    hatch run fuzz
    hatch run fuzz --kinds clouds,images --cases 50 --seed 3
    hatch run fuzz --case clouds:17         one case again, in this process, with its traceback

The same seed makes the same cases. Exit status 1 where a case ended in a traceback, a crash, a
wrong value without a word, or beyond a bound of time or memory.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from fuzzing.bounded import outcomes
from fuzzing.cases import DEFECTS, Outcome, Verdict
from fuzzing.worker import outcome

CASES = {
    "images": 1000,
    "clouds": 1000,
    "tables": 600,
    "checkpoints": 500,
    "bundles": 600,
    "manifests": 800,
    "run_files": 1200,
    "run_folders": 300,
    "commands": 600,
    "plugins": 300,
}
"""How many of each kind, so that all take ten minutes at the most on two cores."""

SHOWN = 12
"""Defects of one kind that are printed; `--case` shows one whole."""

Found = list[tuple[int, Outcome]]


def main() -> int:
    """Run the cases that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(CASES), help="default: all")
    parser.add_argument("--cases", type=int, help="so many of each kind")
    parser.add_argument("--case", metavar="KIND:NUMBER", help="one alone, in this process")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if asked.case:
        kind, _, number = asked.case.partition(":")
        found = outcome(kind, asked.seed, int(number))
        print(f"{found.verdict}: {found.told}\n{found.said}")
        return found.verdict in DEFECTS
    kinds = [kind for kind in asked.kinds.split(",") if kind in CASES]
    return ran(kinds, asked.seed, asked.cases, asked.jobs)


def ran(kinds: list[str], seed: int, cases: int | None, jobs: int) -> int:
    """Judge the kinds beside each other; print the defects and the table."""

    def judge(kind: str) -> tuple[str, Found, float]:
        began = time.monotonic()
        found = list(outcomes(kind, seed, range(cases or CASES[kind])))
        return kind, found, time.monotonic() - began

    with ThreadPoolExecutor(jobs) as pool:
        results = []
        for result in pool.map(judge, kinds):
            results.append(result)
            _print_defects(*result[:2])
    _print_table(results)
    defects = sum(o.verdict in DEFECTS for _, found, _ in results for _, o in found)
    print(f"\n{sum(len(found) for _, found, _ in results)} cases, {defects} defects, seed {seed}")
    return 1 if defects else 0


def _print_defects(kind: str, found: Found) -> None:
    defects = [(number, outcome_) for number, outcome_ in found if outcome_.verdict in DEFECTS]
    for number, outcome_ in defects[:SHOWN]:
        told = f"{outcome_.told}: " if outcome_.told else ""
        last = outcome_.said.strip().splitlines()[-1:]
        print(f"{kind}:{number}  {outcome_.verdict}  {told}{''.join(last)[:200]}", flush=True)
    if len(defects) > SHOWN:
        print(f"{kind}: {len(defects) - SHOWN} more", flush=True)


def _print_table(results: list[tuple[str, Found, float]]) -> None:
    columns = ["kind", "tried", *Verdict, "seconds"]
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for kind, found, seconds in results:
        tally = Counter(o.verdict for _, o in found)
        numbers = [len(found), *(tally[v] for v in Verdict), round(seconds)]
        print(f"| {kind} | " + " | ".join(map(str, numbers)) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
