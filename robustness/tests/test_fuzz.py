"""A part of the harness runs with the unit tests; and the harness sees what it is there for."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import fuzz_planted  # noqa: E402
from fuzz import CASES  # noqa: E402
from fuzzing import bounded  # noqa: E402
from fuzzing.cases import DEFECTS, Verdict  # noqa: E402
from fuzzing.worker import outcome  # noqa: E402

FEW = {"plugins": 3, "run_folders": 4, "commands": 6}


@pytest.mark.parametrize("kind", CASES)
def test_nothing_malformed_is_read_in_silence_or_ends_in_a_traceback(kind: str) -> None:
    found = [(number, outcome(kind, 1, number)) for number in range(FEW.get(kind, 8))]
    assert [(number, o) for number, o in found if o.verdict in DEFECTS] == []


def number_of(way: str) -> int:
    """A case of the planted kind that ends in this way."""
    ways = list(fuzz_planted.WAYS)
    return next(n for n in range(999) if random.Random(f"fuzz_planted-0-{n}").choice(ways) == way)


@pytest.mark.parametrize(
    ("way", "verdict"),
    [
        ("right", Verdict.RIGHT),
        ("refused", Verdict.REFUSED),
        ("raises", Verdict.TRACEBACK),
        ("wrong", Verdict.SILENT),
        ("no sentence", Verdict.TRACEBACK),
    ],
)
def test_a_case_is_judged_by_what_came_of_it(way: str, verdict: Verdict) -> None:
    assert outcome("fuzz_planted", 0, number_of(way)).verdict == verdict


def test_a_worker_that_crashes_hangs_or_eats_memory_is_ended_and_starts_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded, "SECONDS", 2.0)
    monkeypatch.setattr(bounded, "MEBIBYTES", 200)
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    ways = ["right", "crashes", "hangs", "eats", "right"]
    worker = bounded.Worker("fuzz_planted", 0)
    try:
        found = [worker.judge(number_of(way)) for way in ways]
    finally:
        worker.close()
    crash, slow = Verdict.CRASH, Verdict.SLOW
    assert [o.verdict for o in found] == [Verdict.RIGHT, crash, slow, slow, Verdict.RIGHT]
    assert found[2].said == "more than 2 s"
    assert found[3].said.endswith("MiB more memory")
