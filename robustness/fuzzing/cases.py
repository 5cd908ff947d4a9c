"""A case, its judgement, and what the kinds share."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from onlay.errors import OnlayError


class Verdict(StrEnum):
    """What became of a case; the last four are defects."""

    RIGHT = "right"
    REFUSED = "refused in words"
    TRACEBACK = "traceback"
    SILENT = "silent"
    SLOW = "too slow"
    CRASH = "crash"


DEFECTS = (Verdict.TRACEBACK, Verdict.SILENT, Verdict.SLOW, Verdict.CRASH)


class Refused(Exception):
    """A command that ended with exit status 2; its text is what it said."""


@dataclass(frozen=True)
class Case:
    """One odd thing, and what may come of it."""

    told: str
    """What was done to what, in words."""
    read: Callable[[], Any]
    right: Callable[[Any], bool] | None = None
    """Whether what was read is what the thing says; `None`: only a refusal is right."""


Make = Callable[[random.Random, Path], Case]
"""Makes a case, its files in a folder of its own."""


@dataclass(frozen=True)
class Outcome:
    verdict: Verdict
    told: str
    said: str
    """The sentence of a refusal, the end of a traceback, or the wrong value."""


def judged(case: Case) -> Outcome:
    """Run a case and say what became of it."""
    try:
        got = case.read()
    except (OnlayError, Refused) as error:
        return Outcome(_refusal(str(error)), case.told, str(error))
    except (Exception, SystemExit) as error:
        frames = traceback.format_exception(error)
        return Outcome(Verdict.TRACEBACK, case.told, "".join(frames[-4:]))
    if case.right is not None and case.right(got):
        return Outcome(Verdict.RIGHT, case.told, "")
    return Outcome(Verdict.SILENT, case.told, " ".join(repr(got).split())[:300])


_FOREIGN = ("Traceback (most recent call last)", "Error(", "<class '", "object at 0x")


def _refusal(said: str) -> Verdict:
    """A refusal is a sentence of ours: short, without a traceback or the look of an object."""
    if not said.strip() or len(said) > 2000 or any(mark in said for mark in _FOREIGN):
        return Verdict.TRACEBACK
    return Verdict.REFUSED


def command(*words: str) -> str:
    """Run `onlay` in this process; gives its standard output.

    Raises:
        Refused: it ended with status 2.
    """
    from click.testing import CliRunner

    from onlay.cli import main

    result = CliRunner().invoke(main, list(words), prog_name="onlay")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if "Traceback (most recent call last)" in result.output:
        raise AssertionError(result.output)
    if result.exit_code == 2:
        raise Refused(result.stderr)
    assert result.exit_code == 0, f"exit status {result.exit_code}: {result.output[-500:]}"
    return result.stdout


# --- damage to bytes ------------------------------------------------------------------------------


def truncated(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """The beginning of a file."""
    end = rng.randrange(max(1, len(content)))
    return f"cut after {end} of {len(content)} bytes", content[:end]


def flipped(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """One bit turned over."""
    at, bit = rng.randrange(len(content)), rng.randrange(8)
    changed = bytearray(content)
    changed[at] ^= 1 << bit
    return f"bit {bit} of byte {at} flipped", bytes(changed)


def zeroed(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """A run of zeros, as a lost block of a disk leaves it."""
    start = rng.randrange(len(content))
    length = rng.randint(1, max(1, len(content) // 4))
    kept = content[:start] + bytes(min(length, len(content) - start)) + content[start + length :]
    return f"{length} bytes from {start} are zero", kept


def noise(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """Nothing of the file is left."""
    return "random bytes", rng.randbytes(rng.choice([0, 1, 7, 100, len(content)]))


def doubled(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """A part of the file twice."""
    start = rng.randrange(len(content))
    end = rng.randint(start, len(content))
    return f"bytes {start} to {end} twice", content[:end] + content[start:end] + content[end:]
