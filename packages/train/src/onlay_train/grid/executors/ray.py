"""Cells as tasks of a Ray cluster; in each of its workers a process for each cell, as on one
machine."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from onlay.errors import OnlayError
from onlay_train.grid.executors.config import LocalConfig, RayConfig
from onlay_train.grid.executors.ending import Killed, Refused, needed

_ASKED = 0.5
"""Seconds between two looks of a worker at what it was asked to stop."""


class RayExecutor(Executor):
    """One `ray.remote` for each call."""

    def __init__(self, config: RayConfig) -> None:
        self.config = config
        self.ray = needed("ray", "ray")
        self._ours = not self.ray.is_initialized()
        if self._ours:
            _connect(self.ray, config)
        room = {"num_cpus": config.cpus, "num_gpus": config.gpus}
        if config.memory:
            room["memory"] = int(config.memory * 1e9)
        self._task = self.ray.remote(max_retries=0, **room)(in_worker)
        self._slots = ThreadPoolExecutor(config.jobs, thread_name_prefix="ray")
        self._asked: set[Any] = set()
        self._beginning, self._closed = threading.Lock(), False

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Future[Any]:
        """`fn(*args)` in a process of a worker."""
        return self._slots.submit(self._answer, fn, args, named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """With `cancel_futures` what runs is asked to stop."""
        if cancel_futures:
            with self._beginning:
                self._closed = True
            self._slots.shutdown(False, cancel_futures=True)  # first: a thread that is free begins
            told: set[Any] = set()
            while new := {*self._asked} - told or (wait and self._asked):
                for asked in {*new} - told:  # once: another one would cut its checkpoint off
                    self.ray.cancel(asked)
                told |= {*new}
                time.sleep(_ASKED)
        self._slots.shutdown(wait, cancel_futures=cancel_futures)
        if self._ours and wait:
            self.ray.shutdown()

    def _answer(self, fn: Any, args: Any, named: Any) -> Any:
        """In a thread that waits for the task's end."""
        threads = self.config.threads or max(1, int(self.config.cpus))
        given = (installed(), os.getcwd(), threads, fn, args, named)
        with self._beginning:  # what has begun is known, so that it is asked to stop
            if self._closed:
                raise Killed("it was to begin when all was to stop")
            asked = self._task.remote(*given)
            self._asked.add(asked)
        try:
            return self.ray.get(asked)
        except self.ray.exceptions.RayError as error:
            raise _in_our_words(error) from error
        finally:
            self._asked.discard(asked)


def build(config: RayConfig, folder: Path) -> Executor:
    """The executor of a cluster.

    Raises:
        Refused: Ray is missing, or no cluster answers.
    """
    return RayExecutor(config)


def in_worker(
    wanted: Mapping[str, str], folder: str, threads: int, fn: Any, args: Any, named: Any
) -> Any:
    """What a worker does: the call, in a process of its own, as this machine would.

    Raises:
        Refused: the worker is not made as the machine is that hands out the cells.
    """
    _check(wanted, folder)
    os.chdir(folder)
    slot = _slot(threads)
    called = slot.submit(fn, *args, **named)
    try:
        while not called.done():
            wait([called], _ASKED)
        return called.result()
    except KeyboardInterrupt:
        slot.shutdown(cancel_futures=True)
        _slot.cache_clear()
        raise


@lru_cache
def installed() -> dict[str, str]:
    """The version of everything whose code makes weights, by distribution."""
    from onlay.host import PluginHost

    found = {plugin.distribution: plugin.version for plugin in PluginHost.discover().plugins}
    for name in ("onlay", "onlay-train", "torch"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _check(wanted: Mapping[str, str], folder: str) -> None:
    here, have = f"the Ray worker on `{socket.gethostname()}`", installed()
    for name, needs in wanted.items():
        if have.get(name) != needs:
            has = f"has `{name}` {have[name]}" if name in have else f"lacks `{name}`"
            raise Refused(
                f"{here} {has}, and {needs} hands out the cells: install the same on both"
            )
    if not Path(folder).is_dir():
        raise Refused(f"{here} has no folder `{folder}`: start in one that all machines share")


@lru_cache
def _slot(threads: int) -> Executor:
    """Imports stay warm from one cell to the next."""
    from onlay_train.grid.executors.local import LocalExecutor

    return LocalExecutor(LocalConfig(jobs=1, threads=threads))


def _connect(ray: Any, config: RayConfig) -> None:
    own = config.address is None
    given: dict[str, Any] = {"include_dashboard": False} if own else {}
    if config.environment:
        given["runtime_env"] = config.environment
    try:
        with _own_signals():
            ray.init(
                config.address or "local",
                log_to_driver=False,
                logging_level="error",
                **given,
            )
    except Exception as error:  # Ray has no class for it
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        where = f"no Ray answers at `{config.address}`" if config.address else "Ray does not start"
        raise Refused(f"{where}: {first}") from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; a comparison has its own answer."""
    main = threading.current_thread() is threading.main_thread()
    former = signal.getsignal(signal.SIGTERM)
    yield
    if main and former is not None:
        signal.signal(signal.SIGTERM, former)


def _in_our_words(error: Any) -> OnlayError:
    kind, cause = type(error).__name__, getattr(error, "cause", None)
    if isinstance(cause, OnlayError):
        return cause
    if kind == "OutOfMemoryError":
        return Killed("Ray stopped it, as its machine has no memory left (`where.memory`)")
    if cause is not None and "ModuleNotFoundError" in str(error):
        return Refused("the workers of Ray lack `onlay-train`: install the same there as here")
    if cause is not None:
        return OnlayError(f"a worker of Ray failed: {type(cause).__name__}: {cause}")
    return Killed(f"its worker of Ray ended without a word ({kind})")
