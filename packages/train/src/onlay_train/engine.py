"""The Accelerate engine of a run: device, precision, accumulation, processes, trackers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import TensorBoardTracker, get_available_trackers
from accelerate.utils import (
    DynamoBackend,
    GradientAccumulationPlugin,
    LoggerType,
    TorchDynamoPlugin,
)

from onlay.config.train import TrainConfig
from onlay.errors import ConfigError
from onlay.host.firstparty import install
from onlay.machine.system import usable_cores
from onlay_train.folder import flat

_PACKAGES = {"comet_ml": "comet-ml"}


def make_accelerator(config: TrainConfig, folder: Path | None = None) -> Accelerator:
    """An accelerator for one run; without `folder`, one without trackers.

    Raises:
        ConfigError: the device cannot do the precision.
    """
    AcceleratorState._reset_state()  # else the precision of an earlier run of this process sticks
    inductor = TorchDynamoPlugin(backend=DynamoBackend.INDUCTOR)
    names = config.trackers if folder else ()
    trackers: list[Any] = [_tracker(name, folder) for name in names]
    try:
        return Accelerator(
            cpu=not torch.accelerator.is_available(),  # else `torchrun` on CPUs starts no group
            mixed_precision=config.precision,
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=config.grad_accum_steps
            ),
            dynamo_plugin=inductor if config.compile else None,
            log_with=trackers or None,
        )
    except ValueError as error:
        if config.precision in (None, "no"):
            raise
        raise ConfigError(
            f"`train.precision={config.precision}` cannot be had on this device:"
            " leave it out, or take another one"
        ) from error


def start_trackers(accelerator: Accelerator, config: Mapping[str, Any]) -> None:
    """Open the trackers and tell them the configuration; TensorBoard gets the curves alone."""
    accelerator.init_trackers("onlay")
    for tracker in accelerator.trackers:
        if tracker.name != "tensorboard":
            tracker.store_init_configuration(dict(flat(config)))


def loader_workers(config: TrainConfig, device: torch.device, processes: int) -> int:
    """Processes that load data: none where they would take the cores from the training itself."""
    if config.num_workers is not None:
        return config.num_workers
    return 0 if device.type == "cpu" else max(0, min(8, usable_cores() // processes - 1))


def check_trackers(config: TrainConfig) -> None:
    """Refuse a tracker that is not installed."""
    for name in config.trackers:
        if LoggerType(name) not in get_available_trackers():
            raise ConfigError(
                f"tracker `{name}` is not installed:"
                f" {install(_PACKAGES.get(name, name))}, or leave it out of `train.trackers`"
            )


def _tracker(name: str, folder: Path | None) -> str | TensorBoardTracker:
    return TensorBoardTracker("tensorboard", str(folder)) if name == "tensorboard" else name
