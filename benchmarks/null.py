"""A world without differences: how often does a comparison claim one, and do intervals hold?

    python benchmarks/null.py             # 4,000 tables for each variance, a few minutes

Five methods against a reference on eight data sets, six seeds each; the deviation between data sets
is 0, half and twice that between seeds. Aims: at most 5.5 % of the tables claim a difference after
Holm's correction, 93 to 97 % of the intervals hold the truth.
"""

from __future__ import annotations

import argparse

import numpy as np

from onlay_train.grid.report.statistics import difference, holm

METHODS, DATASETS, SEEDS = 5, 8, 6


def simulated(tables: int, between: float, seed: int) -> tuple[float, float]:
    """Shares of tables that claim something, and of intervals that hold 0."""
    generator = np.random.default_rng(seed)
    claims = held = 0
    for _ in range(tables):
        reference = generator.normal(size=(DATASETS, SEEDS))
        shift = between * generator.normal(size=(METHODS, DATASETS, 1))
        scores = shift + generator.normal(size=(METHODS, DATASETS, SEEDS))
        found = [difference(list(own - reference), margin=0.5) for own in scores]
        corrected = holm({str(n): each.p for n, each in enumerate(found)})
        claims += any(p is not None and p < 0.05 for p in corrected.values())
        held += sum(bool((each.low or 0) <= 0 <= (each.high or 0)) for each in found)
    return claims / tables, held / tables / METHODS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for between in (0.0, 0.5, 2.0):
        claims, held = simulated(arguments.tables, between, arguments.seed)
        print(f"between data sets {between:g}: claims {claims:.2%}, intervals hold {held:.2%}")


if __name__ == "__main__":
    main()
