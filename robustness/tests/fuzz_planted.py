"""Cases that end in every way, one of them by chance."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing.cases import Case

from onlay.errors import DataError


def _raise(error: Exception) -> Any:
    raise error


WAYS: dict[str, Callable[[], Any]] = {
    "right": lambda: 4,
    "refused": lambda: _raise(DataError("`a.png` is empty")),
    "raises": lambda: _raise(KeyError("x")),
    "wrong": lambda: 5,
    "no sentence": lambda: _raise(DataError("it failed: ValueError('bad')")),
    "crashes": lambda: os._exit(139),
    "hangs": lambda: time.sleep(60),
    "eats": lambda: (bytearray(b"x" * (400 << 20)), time.sleep(60)),
}


def make(rng: random.Random, folder: Path) -> Case:
    """One of them; only 4 is right."""
    way = rng.choice(list(WAYS))
    return Case(way, WAYS[way], lambda got: got == 4)
