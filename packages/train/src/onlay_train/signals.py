"""SIGTERM and Ctrl-C as requests that the loop answers between two steps."""

from __future__ import annotations

import signal
import threading
import time
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from onlay.machine.stopping import asked
from onlay.machine.system import STOPS

_ECHO = 0.5
"""Seconds in which a second Ctrl-C is the first one again, which a launcher passes on."""


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
        self.number, self.since = 0, 0.0

    def __enter__(self) -> StopRequests:
        self.number = self.number or asked()
        main = threading.current_thread() is threading.main_thread()
        self.former = {n: signal.signal(n, self._hear) for n in STOPS} if main else {}
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
        again = self.number and time.monotonic() - self.since > _ECHO
        if again and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.number:
            self.number, self.since = number, time.monotonic()


class Agreement:
    """Several processes answer a request at the same step.

    At each call every process tells its number and hears the largest that was told at the call
    before. Nobody waits for that, and no accelerator is asked: the numbers go over a group of their
    own on the CPU.
    """

    def __init__(self) -> None:
        self.group: Any = dist.new_group(backend="gloo", timeout=timedelta(days=7))
        self.told: tuple[Any, Tensor] | None = None

    def heard(self, number: int) -> int:
        """What all processes take as asked for; every process must call it equally often."""
        before, told = self.told, torch.tensor([number])
        work = dist.all_reduce(told, dist.ReduceOp.MAX, group=self.group, async_op=True)
        self.told = work, told
        if before is None:
            return 0
        before[0].wait()
        return int(before[1])
