"""The experiment trackers that Accelerate speaks to, registered as any plugin's are."""

from __future__ import annotations

from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers

from onlay.errors import ConfigError
from onlay.hooks import Run
from onlay.host.firstparty import install

_PACKAGES = {"comet_ml": "comet-ml"}
_PROJECT = "onlay"


class OfAccelerate:
    """Makes one of Accelerate's trackers."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self) -> None:
        """Refuse it where its package is not installed: a `ConfigError`."""
        there = {str(each) for each in get_available_trackers()}
        if self.name not in there or self.name not in LOGGER_TYPE_TO_CLASS:
            raise ConfigError(
                f"tracker `{self.name}` is not installed:"
                f" {install(_PACKAGES.get(self.name, self.name))}, or leave it out of"
                " `train.trackers`"
            )

    def __call__(self, run: Run) -> GeneralTracker:
        self.check()
        kind: Any = LOGGER_TYPE_TO_CLASS[self.name]
        if self.name == "tensorboard":
            return kind("tensorboard", str(run.folder))
        place = (str(run.folder),) if kind.requires_logging_directory else ()
        return kind(_PROJECT, *place, **_going_on(self.name, run))


def _going_on(name: str, run: Run) -> dict[str, Any]:
    """What lets a tracker go on where an earlier start of the run stopped."""
    if name == "wandb":
        return {"id": run.id, "name": run.folder.name, "resume": "allow"}
    return {}


tensorboard = OfAccelerate("tensorboard")
wandb = OfAccelerate("wandb")
trackio = OfAccelerate("trackio")
mlflow = OfAccelerate("mlflow")
comet_ml = OfAccelerate("comet_ml")
aim = OfAccelerate("aim")
clearml = OfAccelerate("clearml")
dvclive = OfAccelerate("dvclive")
swanlab = OfAccelerate("swanlab")
