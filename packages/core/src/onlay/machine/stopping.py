"""SIGTERM ends a command with a word, as Ctrl-C does, wherever it is; a training's loop has its own
answer."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from onlay.machine.system import STOPS

_asked: list[int] = []


class Terminated(BaseException):
    """Raised where the signal came; no `except Exception` holds it up."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_status = 128 + number


def asked() -> int:
    """The signal that was met by `terminable` and held up by somebody else's code; 0: none."""
    return _asked[0] if _asked else 0


@contextmanager
def terminable() -> Iterator[None]:
    """Inside, a signal that would end the process without a word raises `Terminated`.

    Signals that are ignored or have a handler stay as they are. Ctrl-C is python's own.
    """
    _asked.clear()
    former = {}
    if threading.current_thread() is threading.main_thread():
        silent = [n for n in STOPS if signal.getsignal(n) == signal.SIG_DFL]
        former = {number: signal.signal(number, _hear) for number in silent}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _hear(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    raise Terminated(number)
