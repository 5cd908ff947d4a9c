"""Experiment trackers: Accelerate's own, and those that plugins register; the main process alone
writes to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import (
    GeneralTracker,
    TensorBoardTracker,
    filter_trackers,
    get_available_trackers,
)

from onlay.config.train import ACCELERATE, TrainConfig
from onlay.errors import ConfigError, OnlayError, PluginError
from onlay.hooks import Run
from onlay.host import PluginHost
from onlay.host.firstparty import install
from onlay.machine.disk import prevented
from onlay.machine.guard import in_words
from onlay_train.folder import flat

_PACKAGES = {"comet_ml": "comet-ml"}


class Charged(GeneralTracker):
    """A plugin's tracker, whose failures are told as the plugin's; but what a full disk prevents is
    the disk's."""

    def __init__(self, inner: GeneralTracker, name: str, owner: str) -> None:
        super().__init__(_blank=True)
        self.inner, self.name, self.owner = inner, name, owner
        self.requires_logging_directory = False

    @property
    def tracker(self) -> Any:
        return self.inner.tracker

    def start(self) -> None:
        self._charged(self.inner.start)

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._charged(self.inner.store_init_configuration, values)

    def log(self, values: dict[str, Any], step: int | None = None, **kwargs: Any) -> None:
        self._charged(partial(self.inner.log, step=step, **kwargs), values)

    def finish(self) -> None:
        self._charged(self.inner.finish)

    def _charged(self, call: Callable[..., Any], *values: Any) -> None:
        try:
            call(*values)
        except OnlayError:
            raise
        except Exception as error:
            if prevented(error):
                raise
            raise _failed(self.owner, self.name, error) from error


def check_trackers(config: TrainConfig, host: PluginHost) -> None:
    """Refuse a tracker that nobody brings, or whose package is not installed."""
    there = {str(name) for name in get_available_trackers()}
    for name in config.trackers:
        if name not in ACCELERATE:
            host.find("tracker", name)
        elif name not in there:
            raise ConfigError(
                f"tracker `{name}` is not installed:"
                f" {install(_PACKAGES.get(name, name))}, or leave it out of `train.trackers`"
            )


def start_trackers(
    accelerator: Accelerator, config: TrainConfig, run: Run, host: PluginHost
) -> None:
    """Open the trackers and tell them the configuration; TensorBoard gets the curves alone."""
    if not accelerator.is_main_process:
        return
    accelerator.project_configuration.logging_dir = str(run.folder)
    made = [_made(name, run, host) for name in config.trackers]
    accelerator.log_with = filter_trackers(made, str(run.folder))
    goes_on = {"wandb": {"id": run.id, "name": run.folder.name, "resume": "allow"}}
    accelerator.init_trackers("onlay", init_kwargs=goes_on)
    told = dict(flat(run.config.model_dump(mode="json")))
    for tracker in accelerator.trackers:
        if tracker.name != "tensorboard":
            tracker.store_init_configuration(told)


def _made(name: str, run: Run, host: PluginHost) -> str | GeneralTracker:
    if name == "tensorboard":
        return TensorBoardTracker("tensorboard", str(run.folder))
    if name in ACCELERATE:
        return name
    make, owner = host.load("tracker", name, "tracker"), str(host.owner("tracker", name))
    try:
        inner = make(run)
    except OnlayError:
        raise
    except Exception as error:
        raise _failed(owner, name, error) from error
    if not isinstance(inner, GeneralTracker):
        raise PluginError(
            f"tracker `{name}` of the plugin `{owner}` is a `{type(inner).__name__}` and no"
            " `accelerate.tracking.GeneralTracker`"
        )
    return Charged(inner, name, owner)


def _failed(owner: str, name: str, error: Exception) -> PluginError:
    return PluginError(f"plugin `{owner}` failed in its tracker `{name}`: {in_words(error)}")
