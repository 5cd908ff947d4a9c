"""The Accelerate engine of a run: device, precision, accumulation, processes."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DynamoBackend, GradientAccumulationPlugin, TorchDynamoPlugin

from onlay.config.train import TrainConfig
from onlay.errors import ConfigError
from onlay.machine.system import usable_cores


def make_accelerator(config: TrainConfig) -> Accelerator:
    """An accelerator for one run, whose trackers are still to come.

    Raises:
        ConfigError: the device cannot do the precision.
    """
    AcceleratorState._reset_state()  # else the precision of an earlier run of this process sticks
    inductor = TorchDynamoPlugin(backend=DynamoBackend.INDUCTOR)
    try:
        return Accelerator(
            cpu=not torch.accelerator.is_available(),  # else `torchrun` on CPUs starts no group
            mixed_precision=config.precision,
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=config.grad_accum_steps
            ),
            dynamo_plugin=inductor if config.compile else None,
        )
    except ValueError as error:
        if config.precision in (None, "no"):
            raise
        raise ConfigError(
            f"`train.precision={config.precision}` cannot be had on this device:"
            " leave it out, or take another one"
        ) from error


def loader_workers(config: TrainConfig, device: torch.device, processes: int) -> int:
    """Processes that load data: none where they would take the cores from the training itself."""
    if config.num_workers is not None:
        return config.num_workers
    return 0 if device.type == "cpu" else max(0, min(8, usable_cores() // processes - 1))
