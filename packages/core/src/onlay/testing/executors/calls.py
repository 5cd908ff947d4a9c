"""What an executor is handed: functions of a module that are called with plain data. Each writes
down in a folder that it began."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from onlay.errors import RunError

MOMENT = 0.2
"""Seconds that a call takes, so that one is seen which runs beside it."""
LONGEST = 60.0
"""Seconds after which one that waits to be stopped gives up."""
SAID = "this call fails, as it should"


def told(folder: str, name: str, given: Any, seconds: float = 0.0) -> dict[str, Any]:
    """What it was given, and where and when it ran, for so many seconds."""
    began = begun(folder, name)
    time.sleep(seconds)
    return {
        "given": given,
        "folder": os.path.realpath(os.getcwd()),
        "process": os.getpid(),
        "main": threading.current_thread() is threading.main_thread(),
        "began": began,
        "ended": time.time(),
    }


def fails(folder: str, name: str) -> None:
    """As a cell does that cannot be trained.

    Raises:
        RunError: always.
    """
    begun(folder, name)
    raise RunError(SAID)


def dies(folder: str, name: str, spared: int) -> None:
    """End its process as a kill does, unless that is the process `spared`."""
    begun(folder, name)
    if os.getpid() != spared:
        os._exit(9)


def waits(folder: str, name: str) -> str:
    """Work until it is asked to stop, and then a moment longer, as one that writes a checkpoint."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    begun(folder, name)
    end = time.monotonic() + LONGEST
    while not asked and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(MOMENT / 2)
    if asked:
        Path(folder, f"{name}.stopped").touch()
    return "interrupted"


def begun(folder: str, name: str) -> float:
    """Write down that a call begins; gives when."""
    now = time.time()
    with Path(folder, f"{name}.begun").open("a", encoding="utf-8") as file:
        file.write(f"{now}\n")
    return now
