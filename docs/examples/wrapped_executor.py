"""The cells of a comparison as processes behind a command of your choice, such as `nice`."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from pydantic import PositiveInt

from onlay import descriptors, hookimpl
from onlay.errors import OnlayError
from onlay.settings import Config


class WrappedConfig(Config):
    """Processes behind a command, one for each cell."""

    name: Literal["wrapped"] = "wrapped"

    jobs: PositiveInt = 1
    """Cells that are trained at a time."""
    command: tuple[str, ...] = ("nice", "-n", "19")
    """What stands in front of `python`. It must become that process, as `nice`, `taskset` and `env`
    do: what runs is asked to stop by a signal."""


class Wrapped(Executor):
    """A thread waits for each process."""

    def __init__(self, config: WrappedConfig) -> None:
        self.words = [*config.command, sys.executable, __file__]
        self.waiting = ThreadPoolExecutor(config.jobs)
        self.running: set[subprocess.Popen[bytes]] = set()
        self.closed = False
        self.lock = Lock()  # so that no process begins behind the back of `shutdown`

    def submit(self, fn: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        return self.waiting.submit(self.run, pickle.dumps((fn, args, named)))

    def run(self, call: bytes) -> Any:
        with self.lock:
            if self.closed:
                raise RuntimeError("it was to begin when all was to stop")
            pipe = subprocess.PIPE
            process = subprocess.Popen(self.words, stdin=pipe, stdout=pipe)
            self.running.add(process)
        told, _ = process.communicate(call)
        self.running.discard(process)
        if not told:  # killed, for memory for one
            raise RuntimeError(f"its process ended with status {process.returncode}")
        failed, value = pickle.loads(told)
        if failed:
            raise value
        return value

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            self.waiting.shutdown(wait=False, cancel_futures=True)
            with self.lock:
                self.closed = True
                for process in list(self.running):  # which threads leave meanwhile
                    process.terminate()
        self.waiting.shutdown(wait)


def build(config: WrappedConfig, folder: Path) -> Executor:
    return Wrapped(config)


def answer() -> None:
    """What the process does. Its output is the answer, so what is printed goes to the errors."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    fn, args, named = pickle.load(sys.stdin.buffer)
    try:
        told = False, fn(*args, **named)
    except OnlayError as error:
        told = True, error
    with answers:
        pickle.dump(told, answers)


@hookimpl
def register_executors() -> Iterable[descriptors.Executor]:
    yield descriptors.Executor(
        name="wrapped",
        config=f"{__name__}:WrappedConfig",
        build=f"{__name__}:build",
        summary="processes behind a command",
    )


if __name__ == "__main__":
    answer()
