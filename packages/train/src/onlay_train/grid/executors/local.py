"""Cells on this machine: a fresh process for each, forked from one that has imported torch."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from onlay.machine.system import CAN_FORK, usable_cores
from onlay_train.grid.executors.config import LocalConfig
from onlay_train.grid.executors.ending import Killed, by_signal


class LocalExecutor(Executor):
    """So many processes at a time; one that is killed ends its own cell alone."""

    def __init__(self, config: LocalConfig) -> None:
        self.threads = config.threads or _asked() or max(1, usable_cores() // config.jobs)
        self._slots = ThreadPoolExecutor(config.jobs, thread_name_prefix="cell")
        self._context = _warm()
        self._running: set[Any] = set()
        self._closed = False

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Future[Any]:
        """`fn(*args)` in a process of its own."""
        return self._slots.submit(self._in_process, fn, args, named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """With `cancel_futures` what runs is asked to stop."""
        if cancel_futures:
            self._closed = True
            self._slots.shutdown(False, cancel_futures=True)
            for process in list(self._running):
                process.terminate()
        self._slots.shutdown(wait, cancel_futures=cancel_futures)

    def _in_process(self, fn: Any, args: Any, named: Any) -> Any:
        """In a thread that waits for the process's end."""
        if self._closed:
            raise Killed("it was to begin when all was to stop")
        ours, theirs = self._context.Pipe()
        given = (theirs, self.threads, fn, args, named)
        process = self._context.Process(target=_answer, args=given)
        try:
            process.start()
        except (EOFError, OSError) as error:  # the next one starts it anew
            raise Killed("the process that starts others was killed") from error
        theirs.close()
        self._running.add(process)
        if self._closed:  # asked while it was started, which waits for what imports torch
            process.terminate()
        try:
            told = ours.recv()
        except (EOFError, OSError):
            process.join()
            raise Killed(by_signal(process.exitcode)) from None
        finally:
            self._running.discard(process)
            process.join()
            ours.close()
        if isinstance(told, BaseException):
            raise told
        return told


def build(config: LocalConfig, folder: Path) -> Executor:
    """The executor of this machine."""
    return LocalExecutor(config)


def _asked() -> int:
    """What the environment says, as every program that computes with OpenMP takes it; who shares a
    machine sets it, since threads that wait for a core slow each other down many times over."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() else 0


def _answer(pipe: Connection, threads: int, fn: Any, args: Any, named: Any) -> None:
    """A Ctrl-C in the terminal is the scheduler's, which asks for a stop; so is its end."""
    import torch

    with suppress(OSError, AttributeError):  # no sessions on Windows
        os.setsid()
    threading.Thread(target=_stop_with, args=(pipe,), daemon=True).start()
    torch.set_num_threads(threads)
    try:
        told = fn(*args, **named)
    except Exception as error:
        told = error
    pipe.send(told)


def _stop_with(pipe: Connection) -> None:
    """Ask this process to stop once nobody waits for it any more."""
    with suppress(EOFError, OSError):
        pipe.recv()
    signal.raise_signal(signal.SIGTERM)


def _warm() -> Any:
    """Processes are forked from one that has imported what all of them need, this process's own
    script included, and computed nothing yet; where there is no fork, each imports it anew."""
    if not CAN_FORK:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "onlay_train.grid.executors.warm"])
    return context
