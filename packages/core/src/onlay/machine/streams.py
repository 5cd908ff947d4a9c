"""Standard output is for answers: what plugins print while they are imported goes to stderr, and
one that takes long is named there."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from onlay.errors import OnlayError
from onlay.machine.system import flush_c

PATIENCE = "10"
"""Seconds before a plugin that is waited for is named, unless `ONLAY_PATIENCE` says otherwise."""


class _Diversion:
    """Python's stdout and the file descriptor below it lead to stderr while anybody asks for it.

    Both belong to the whole process: the first that asks diverts them, the last one restores.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._stdout: IO[str] | None = None
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                _flush(sys.stdout)
                self._stdout, self._descriptor = sys.stdout, _divert()
                sys.stdout = sys.stderr

    def __exit__(self, *failure: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                _flush(sys.stdout, sys.__stdout__)
                if self._descriptor is not None:
                    flush_c()
                    os.dup2(self._descriptor, 1)
                    os.close(self._descriptor)
                sys.stdout = self._stdout  # whatever the plugin put there


stdout_to_stderr = _Diversion()
"""Context in which nothing reaches standard output, neither `print` nor a library in C."""


@contextmanager
def named_while_waiting(plugin: object) -> Iterator[None]:
    """Say on stderr which plugin one waits for, once that takes longer than one's patience."""
    stream, patience = sys.stderr, _patience()

    def say() -> None:
        with suppress(Exception):
            print(f"waiting for the plugin `{plugin}`", file=stream, flush=True)

    timer = threading.Timer(patience, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join(1)


def _patience() -> float:
    said = os.environ.get("ONLAY_PATIENCE", PATIENCE)
    try:
        return max(0.0, min(float(said), threading.TIMEOUT_MAX))
    except ValueError:
        raise OnlayError(
            f"`ONLAY_PATIENCE={said}` is no number: set it to the seconds after which a plugin that"
            " is waited for is named, or to `inf`"
        ) from None


def _divert() -> int | None:
    """Let descriptor 1 be what 2 is, or lead nowhere where that is closed; a copy of what it was,
    or `None` where it is closed itself."""
    aside = 2 if _is_open(2) else os.open(os.devnull, os.O_WRONLY)
    former = os.dup(1) if _is_open(1) else None
    if former is not None:
        os.dup2(aside, 1)
    if aside != 2:
        os.close(aside)
    return former


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _flush(*streams: IO[str] | None) -> None:
    for stream in streams:
        with suppress(Exception):
            assert stream is not None
            stream.flush()
