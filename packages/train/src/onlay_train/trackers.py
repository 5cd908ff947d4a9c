"""Experiment trackers of a run; its main process alone writes to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import GeneralTracker
from rich.console import Console

from onlay.config.train import TrainConfig
from onlay.errors import OnlayError, PluginError
from onlay.hooks import Run
from onlay.host import PluginHost
from onlay.machine.disk import prevented
from onlay.machine.guard import in_words
from onlay_train.folder import flat
from onlay_train.own_trackers import OfAccelerate
from onlay_train.report import say
from onlay_train.telling import tell


class Charged(GeneralTracker):
    """A tracker whose failures are told as its plugin's; but what a full disk prevents in the run's
    folder is the disk's."""

    requires_logging_directory = False

    def __init__(self, inner: Any, name: str, owner: str, folder: Path) -> None:
        super().__init__(_blank=True)
        self.inner, self.name, self.owner, self.folder = inner, name, owner, folder
        self.main_process_only = inner.main_process_only

    @property
    def tracker(self) -> Any:
        return self.inner.tracker

    def start(self) -> None:
        if hasattr(self.inner, "start"):  # older versions of Accelerate have none
            self._charged(self.inner.start)

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._charged(self.inner.store_init_configuration, values)

    def log(self, values: dict[str, Any], step: int | None = None, **kwargs: Any) -> None:
        self._charged(partial(self.inner.log, step=step, **kwargs), values)

    def log_images(self, values: dict[str, Any], step: int) -> None:
        """Pictures (n, H, W, 3) under names, for a tracker that takes some."""
        if hasattr(self.inner, "log_images"):
            own = {"dataformats": "NHWC"} if self.inner.name == "tensorboard" else {}
            self._charged(partial(self.inner.log_images, step=step, **own), values)

    def finish(self) -> None:
        self._charged(self.inner.finish)

    def _charged(self, call: Callable[..., Any], *values: Any) -> None:
        try:
            call(*values)
        except OnlayError:
            raise
        except Exception as error:
            if prevented(error, self.folder):
                raise
            raise _failed(self.owner, self.name, error) from error


def check_trackers(config: TrainConfig, host: PluginHost) -> None:
    """Refuse a tracker that nobody brings, that cannot be imported, or whose package is not
    installed."""
    for name in config.trackers:
        make = host.load("tracker", name, "tracker")
        if isinstance(make, OfAccelerate):
            make.check()


@contextmanager
def tracked(
    accelerator: Accelerator, run: Run, host: PluginHost, console: Console
) -> Iterator[None]:
    """Inside, the run's trackers are open; they are closed whatever ends it."""
    try:
        tell(accelerator, _start, accelerator, run, host)
        yield
    except BaseException:
        try:
            _finish(accelerator)
        except OnlayError as failure:  # that the run fails is said already
            with suppress(OnlayError):
                say(f"warning: {failure}", console)
        raise
    tell(accelerator, _finish, accelerator)


def _start(accelerator: Accelerator, run: Run, host: PluginHost) -> None:
    """Open the trackers and tell them the configuration; TensorBoard gets the curves alone."""
    if not accelerator.is_main_process:
        return
    told = dict(flat(run.config.model_dump(mode="json")))
    for name in dict.fromkeys(run.config.train.trackers):
        tracker = _made(name, run, host)
        accelerator.trackers.append(tracker)
        tracker.start()
        if name != "tensorboard":
            tracker.store_init_configuration(told)


def _finish(accelerator: Accelerator) -> None:
    """Close each of them, also when another one fails over it."""
    failures = []
    while accelerator.trackers:
        try:
            accelerator.trackers.pop(0).finish()
        except OnlayError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _made(name: str, run: Run, host: PluginHost) -> Charged:
    make, owner = host.load("tracker", name, "tracker"), str(host.owner("tracker", name))
    try:
        inner = make(run)
    except OnlayError:
        raise
    except Exception as error:
        if prevented(error, run.folder):
            raise
        raise _failed(owner, name, error) from error
    if not isinstance(inner, GeneralTracker):
        raise PluginError(
            f"tracker `{name}` of the plugin `{owner}` is a `{type(inner).__name__}` and no"
            " `accelerate.tracking.GeneralTracker`"
        )
    return Charged(inner, name, owner, run.folder)


def _failed(owner: str, name: str, error: Exception) -> PluginError:
    return PluginError(f"plugin `{owner}` failed in its tracker `{name}`: {in_words(error)}")
