"""The process in which an executor is built and handed calls: it imports no torch of its own."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from onlay.config import parse
from onlay.errors import OnlayError
from onlay.host import PluginHost
from onlay.testing.executors import calls

GIVEN = {"text": "ä", "numbers": [1, 2.5, None], "whether": True, "inner": {"empty": []}}
"""Plain data of every kind."""
HEAVY = frozenset({"torch", "timm", "peft", "transformers"})
PATIENCE = 180.0
"""Seconds in which a call is to come to something."""


@dataclass
class Seen:
    """What an executor did, as plain data."""

    missing: str = ""
    """Why it cannot be built here: a library that is not installed."""
    kind: str = ""
    """The class of what `build` gives, where that is no executor."""
    heavy: list[str] = field(default_factory=list)
    """What building it imported and should not have."""
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Call -> `gave`, or `raised` (text) and `known` (an `OnlayError`), or nothing in time."""
    begun: dict[str, int] = field(default_factory=dict)
    """Call -> how often it was begun."""
    folder: str = ""
    """In which folder the calls should run."""
    process: int = 0
    """The number of the process that scheduled them."""
    returned: bool = False
    """`shutdown` came back."""
    stopped: bool = False
    """The call that ran was asked to stop, and had stopped when `shutdown` came back."""


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Build the executor that a question names, hand it calls, stop it."""
    sys.path[:] = question["path"]
    former, folder = os.getcwd(), question["folder"]
    os.chdir(folder)
    try:
        return asdict(_seen(question, Path(folder)))
    finally:
        os.chdir(former)


def _seen(question: Mapping[str, Any], folder: Path) -> Seen:
    before = {*sys.modules}
    seen = Seen(folder=os.path.realpath(folder), process=os.getpid())
    try:
        executor = _built(question, folder)
    except OnlayError as error:
        if not _lacks_a_library(error):
            raise
        seen.missing = str(error)
        return seen
    seen.heavy = sorted(HEAVY & ({*sys.modules} - before))
    if not isinstance(executor, Executor):
        seen.kind = type(executor).__name__
        return seen
    _call(executor, question["given"], seen)
    _stop(executor, seen)
    seen.begun = {path.stem: _lines(path) for path in folder.glob("*.begun")}
    return seen


def _built(question: Mapping[str, Any], folder: Path) -> Any:
    name = question["name"]
    host = _host(question["file"])
    config = parse("executor", {"name": name, **question["settings"]}, host)
    if "jobs" in type(config).model_fields:
        config = config.model_copy(update={"jobs": 1})
    return host.call("executor", name, "build", config, folder / "files")


@lru_cache
def _host(file: str | None) -> PluginHost:
    return PluginHost.discover(files=[Path(file)] if file else [])


def _call(executor: Executor, given: Any, seen: Seen) -> None:
    """Four calls at once: one of them dies and one fails, between two that do neither."""
    handed = {
        "first": executor.submit(calls.told, seen.folder, "first", given, calls.MOMENT),
        "dies": executor.submit(calls.dies, seen.folder, "dies", seen.process),
        "second": executor.submit(calls.told, seen.folder, "second", given, calls.MOMENT),
        "fails": executor.submit(calls.fails, seen.folder, "fails"),
    }
    end = time.monotonic() + PATIENCE
    for name, future in handed.items():
        seen.ended[name] = _end(future, max(0.0, end - time.monotonic()))


def _end(future: Future[Any], seconds: float) -> dict[str, Any]:
    try:
        error = future.exception(seconds)
    except TimeoutError:
        return {}
    if error is None:
        return {"gave": future.result()}
    return {"raised": str(error), "known": isinstance(error, OnlayError)}


def _stop(executor: Executor, seen: Seen) -> None:
    """While a call runs and another one waits behind it."""
    running = executor.submit(calls.waits, seen.folder, "waits")
    executor.submit(calls.told, seen.folder, "behind", None)
    end = time.monotonic() + PATIENCE
    began = Path(seen.folder, "waits.begun")
    while not (began.exists() or running.done()) and time.monotonic() < end:
        time.sleep(0.02)
    asking = threading.Thread(
        target=executor.shutdown, kwargs={"cancel_futures": True}, daemon=True
    )
    asking.start()
    asking.join(PATIENCE)
    seen.returned = not asking.is_alive()
    seen.stopped = Path(seen.folder, "waits.stopped").exists()


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _lacks_a_library(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            return True
        error = error.__cause__
    return False
