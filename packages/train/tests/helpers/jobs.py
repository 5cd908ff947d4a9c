"""What tests hand to executors: functions that a process of its own imports."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def goes_on(folder: str) -> str:
    """At its first start it works until it is asked to stop; then it goes on from there."""
    checkpoint = Path(folder) / "checkpoint"
    if checkpoint.exists():
        return f"went on from {checkpoint.read_text()}, on {os.environ['OMP_NUM_THREADS']} threads"

    def stop(number: int, frame: Any) -> None:
        checkpoint.write_text(signal.Signals(number).name)
        sys.exit()

    signal.signal(signal.SIGTERM, stop)
    (Path(folder) / "began").touch()
    time.sleep(300)
    return "was not asked to stop"
