"""One of several processes says what is wrong, and all leave their group before they end."""

from __future__ import annotations

import gc
import importlib
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onlay.cli import Sentence
from onlay.errors import ConfigError, OnlayError
from onlay.machine.processes import rank, world

_MET = "onlay/processes that met a mistake"
"""A count in the store over which processes find each other, which outlives their group."""
_PATIENCE = 3.0
"""Seconds for which a process lets the others come so far, for a launcher ends all once one has
ended."""


@contextmanager
def among_processes() -> Iterator[None]:
    """Among several processes the first one that meets a mistake says it, and all of them end with
    status 2, also those that only wait in vain for the one that met it."""
    if world() > 1:  # functions there keep the group that they find when they are imported
        importlib.import_module("torch.distributed.nn")
    try:
        yield
    except OnlayError as error:
        if world() == 1:
            raise
        store = _store()
        if _first(store):
            Sentence(str(error)).show()
        _end(store)
    except RuntimeError:  # what a closed connection is to the processes on its other ends
        store = _store()
        if store is None or not _met(store, 0):
            raise
        _met(store, 1)
        _end(store)
    finally:
        _leave()


def alone(command: str) -> None:
    """Refuse a launcher, whose processes those that a command starts would take themselves for."""
    with among_processes():
        if world() > 1:
            raise ConfigError(
                f"`onlay {command}` starts processes of its own: start it without a launcher"
            )


def _store() -> Any:
    """Over which the processes of a group found each other; None before there is one."""
    if not _grouped():
        return None
    return sys.modules["torch"].distributed.distributed_c10d._get_default_store()


def _first(store: Any) -> bool:
    """Has no other process said it? Without a group nobody knows: the first one says it, and others
    that nobody ends thereupon say it, too."""
    if store is None:
        time.sleep(_PATIENCE if rank() else 0)
    return store is None or _met(store, 1) <= 1


def _met(store: Any, more: int) -> int:
    """How many processes have met it, with `more` of them; 0 if the store is gone, which the first
    process may have kept."""
    try:
        return store.add(_MET, more)
    except RuntimeError:
        return 0


def _end(store: Any) -> None:
    """With status 2, and with the others, which notice it by the group that is left; they count
    once more when they go, for the first one may keep the store and goes last."""
    _leave()
    if store is not None:
        _wait(store, world() if rank() else 2 * world() - 1)
        _met(store, 1)
    sys.exit(2)


def _wait(store: Any, wanted: int) -> None:
    end = time.monotonic() + _PATIENCE
    while 0 < _met(store, 0) < wanted and time.monotonic() < end:
        time.sleep(0.05)


def _grouped() -> bool:
    torch = sys.modules.get("torch")
    return bool(torch and torch.distributed.is_available() and torch.distributed.is_initialized())


def _leave() -> None:
    """End the group and its threads: an interpreter that ends while one of gloo's threads lets a
    tensor go aborts. A wrapped model holds the group, in a circle and in the frames of an error."""
    if _grouped():
        sys.modules["torch"].distributed.destroy_process_group()
        error = sys.exc_info()[1]
        while error:
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__
        gc.collect()
