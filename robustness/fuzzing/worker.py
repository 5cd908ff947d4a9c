"""A process that judges cases of one kind, so that a crash takes nothing else along.

It reads the number of a case from each line of its standard input, and answers with a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import warnings
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzzing.cases import Make, Outcome, judged


def kind(name: str) -> Make:
    """The maker of a kind's cases; a module of another place under its own name."""
    own = find_spec(f"fuzzing.kinds.{name}")
    return import_module(f"fuzzing.kinds.{name}" if own else name).make


def outcome(name: str, seed: int, number: int) -> Outcome:
    """One case, made and judged; the same one for the same three arguments."""
    rng = random.Random(f"{name}-{seed}-{number}")
    with TemporaryDirectory(prefix="onlay-fuzz-", ignore_cleanup_errors=True) as folder:
        return judged(kind(name)(rng, Path(folder)))


def serve(name: str, seed: int) -> None:
    """Judge the cases whose numbers come in, until there are no more."""
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    outcome(name, seed, -1)  # what is imported and made once is no case's time
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            found = outcome(name, seed, int(line))
        print(json.dumps(asdict(found)), file=answers, flush=True)
