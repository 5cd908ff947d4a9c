"""The hooks of `onlay-train`; nothing here imports torch until it is called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from onlay.descriptors import Command, Tracker
from onlay.hooks import hookimpl

if TYPE_CHECKING:
    import torch

    from onlay.config.train import TrainConfig
    from onlay.model.adapted import AdaptedModel


@hookimpl
def register_commands() -> Iterable[Command]:
    """The commands that train."""
    yield Command(
        name="train",
        command="onlay_train.commands.train:train",
        summary="Train an adapter; the same command goes on after a stop",
    )
    yield Command(
        name="eval",
        command="onlay_train.commands.evaluate:evaluate",
        summary="Evaluate the bundle of a run on a part of its data",
    )
    yield Command(
        name="folds",
        command="onlay_train.commands.folds:folds",
        summary="Train one run for each fold of a data set; mean and deviation",
    )
    yield Command(
        name="demo",
        command="onlay_train.commands.demo:demo",
        summary="Compare methods on small data that needs no download, in minutes",
    )


@hookimpl
def register_trackers() -> Iterable[Tracker]:
    """Accelerate's own."""
    for name, summary in (
        ("tensorboard", "curves in event files, in the run's folder"),
        ("wandb", "Weights & Biases"),
        ("trackio", "Trackio, of Hugging Face"),
        ("mlflow", "MLflow"),
        ("comet_ml", "Comet"),
        ("aim", "Aim, in the run's folder"),
        ("clearml", "ClearML"),
        ("dvclive", "DVCLive"),
        ("swanlab", "SwanLab"),
    ):
        yield Tracker(name=name, tracker=f"onlay_train.own_trackers:{name}", summary=summary)


@hookimpl(trylast=True)
def make_param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]]:
    """Tensors with weight decay, and those without."""
    from onlay_train.optimizer import param_groups

    return param_groups(model, config)


@hookimpl(trylast=True)
def make_optimizer(groups: list[dict[str, Any]], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW."""
    from onlay_train.optimizer import adamw

    return adamw(groups, config)
