"""SIGTERM and Ctrl-C as requests that the loop answers between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

_HEARD = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A run was asked to stop and its checkpoint is written."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_status = 128 + number
        """What a shell expects: 130 after Ctrl-C, 143 after SIGTERM."""


class StopRequests:
    """Context in which the first signal is remembered in `number`; a second Ctrl-C interrupts.

    Outside the main thread python allows no handlers, and signals mean what they meant before.
    """

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> StopRequests:
        main = threading.current_thread() is threading.main_thread()
        self.former = {n: signal.signal(n, self._hear) for n in _HEARD} if main else {}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number
