"""Executors that each break one sentence of the contract, and a healthy one: a forked process for
each call."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Literal

from pydantic import Field, create_model

from onlay import descriptors, hookimpl
from onlay.errors import RunError
from onlay.settings import Config


class Healthy(Executor):
    def __init__(self, config: Any) -> None:
        self.slots = ThreadPoolExecutor(self.room(config))
        self.running: set[Any] = set()
        self.closed = False
        self.beginning = Lock()

    def room(self, config: Any) -> int:
        return config.jobs

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Future[Any]:
        return self.slots.submit(self.called, fn, args)

    def called(self, fn: Any, args: Any) -> Any:
        ours, theirs = get_context("fork").Pipe()
        process: Any = get_context("fork").Process(target=answered, args=(theirs, fn, args))
        with self.beginning:  # what has begun is known, so that it is asked
            if self.closed:
                raise RuntimeError("all was to stop")
            process.start()
            self.running.add(process)
        theirs.close()
        try:
            told = ours.recv()
        except EOFError:
            raise RuntimeError("its process was killed") from None
        finally:
            process.join()
            self.running.discard(process)
        if isinstance(told, Exception):
            raise told
        return told

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            with self.beginning:
                self.closed = True
            self.slots.shutdown(False, cancel_futures=True)  # first: a thread that is free begins
            for process in [*self.running]:
                self.stop(process)
        self.slots.shutdown(wait)

    def stop(self, process: Any) -> None:
        process.terminate()


def answered(pipe: Connection, fn: Any, args: Any) -> None:
    try:
        pipe.send(fn(*args))
    except Exception as error:
        pipe.send(error)


class Odd:
    """No executor."""

    def __init__(self, config: Any) -> None: ...


class Heavy(Healthy):
    """As `import torch` leaves it, without the seconds."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        sys.modules.setdefault("torch", ModuleType("torch"))


class Lacking(Healthy):
    """It needs a library that is not there, and says so."""

    def __init__(self, config: Any) -> None:
        try:
            import no_such_library  # type: ignore[import-not-found] # noqa: F401
        except ModuleNotFoundError as error:
            raise RunError("`lacking` needs the package `no_such_library`") from error


class Texts(Healthy):
    """Data become text on the way."""

    def called(self, fn: Any, args: Any) -> Any:
        given = [arg if isinstance(arg, str | int) else str(arg) for arg in args]
        return super().called(fn, given)


class Within(Healthy):
    """In the process that schedules."""

    def called(self, fn: Any, args: Any) -> Any:
        return fn(*args)


class Twice(Healthy):
    """A call that comes to nothing is tried again."""

    def called(self, fn: Any, args: Any) -> Any:
        try:
            return super().called(fn, args)
        except RuntimeError:
            return super().called(fn, args)


class Silent(Healthy):
    """A failure is no result."""

    def called(self, fn: Any, args: Any) -> Any:
        try:
            return super().called(fn, args)
        except Exception as error:
            if "killed" in str(error):
                raise
            return None


class Pooled(Healthy):
    """A process that dies takes those with it that wait."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.slots = ProcessPoolExecutor(1, get_context("fork"))  # type: ignore[assignment]

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Future[Any]:
        try:
            return self.slots.submit(fn, *args)
        except RuntimeError as error:
            broken: Future[Any] = Future()
            broken.set_exception(error)
            return broken


class Greedy(Healthy):
    """As many at a time as there are. Two wait for each other's processes, so that they run at a
    time on a busy machine, too."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.both = get_context("fork").Barrier(2)

    def room(self, config: Any) -> int:
        return 8

    def called(self, fn: Any, args: Any) -> Any:
        if args[1] in ("first", "second"):
            return super().called(met, (self.both, fn, args))
        return super().called(fn, args)


def met(others: Any, fn: Any, args: Any) -> Any:
    others.wait(60)
    return fn(*args)


class Deaf(Healthy):
    """What runs is not asked."""

    def stop(self, process: Any) -> None:
        process.kill()


KINDS: Mapping[str, tuple[Any, str]] = {
    "healthy": (Healthy, ""),
    "odd": (Odd, "builds_without_torch"),
    "heavy": (Heavy, "builds_without_torch"),
    "texts": (Texts, "gives_back_plain_data"),
    "within": (Within, "each_call_has_a_process_of_its_own"),
    "twice": (Twice, "begins_each_call_once"),
    "silent": (Silent, "hands_on_failures"),
    "pooled": (Pooled, "a_killed_call_ends_alone"),
    "greedy": (Greedy, "keeps_to_its_jobs"),
    "deaf": (Deaf, "stops_when_asked"),
    "lacking": (Lacking, ""),
    "undescribed": (Healthy, "settings_are_described"),
}
"""Name -> class, and the first check that fails."""


def config_of(name: str) -> type[Config]:
    """Settings of that name: how many at a time."""
    told = None if name == "undescribed" else "How many at a time."
    fields: dict[str, Any] = {"name": (Literal[name], name)}  # type: ignore[valid-type]
    return create_model(
        f"{name.title()}Config",
        __base__=Config,
        **fields,
        jobs=(int, Field(1, description=told)),
    )


def build(config: Any, folder: Path) -> Any:
    return KINDS[config.name][0](config)


@hookimpl
def register_executors() -> Iterable[descriptors.Executor]:
    for name in KINDS:
        yield descriptors.Executor(
            name=name, config=config_of(name), build=f"{__name__}:build", summary="planted"
        )
