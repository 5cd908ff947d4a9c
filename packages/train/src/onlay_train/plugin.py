"""The hooks of `onlay-train`; nothing here imports torch until it is called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from onlay.descriptors import Command, Executor, Optimizer, Tracker
from onlay.hooks import hookimpl

if TYPE_CHECKING:
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
        name="compare",
        command="onlay_train.commands.compare:compare",
        summary="Train a grid of runs; the same command goes on, and a report says what holds",
    )
    yield Command(
        name="recommend",
        command="onlay_train.commands.compare:recommend",
        summary="Say which method is for your data, by a comparison that was trained",
    )
    yield Command(
        name="demo",
        command="onlay_train.commands.demo:demo",
        summary="Compare methods on small data that needs no download, in minutes",
    )


@hookimpl
def register_optimizers() -> Iterable[Optimizer]:
    """Torch's."""
    for name, summary in (
        ("adamw", "Adam with decoupled weight decay (Loshchilov and Hutter 2019)"),
        ("sgd", "stochastic gradient descent with Nesterov momentum"),
        ("adam", "Adam (Kingma and Ba 2015)"),
        ("nadam", "Adam with Nesterov momentum"),
        ("radam", "rectified Adam"),
        ("adamax", "Adam by the largest gradient"),
        ("adagrad", "a rate for each number by all its gradients so far"),
        ("adadelta", "the same by recent ones"),
        ("adafactor", "second moments by rows and columns, to save memory"),
        ("rmsprop", "gradients by their recent size"),
        ("asgd", "averaged stochastic gradient descent"),
    ):
        yield Optimizer(name=name, build="onlay_train.optimizer:torchs", summary=summary)


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


@hookimpl
def register_executors() -> Iterable[Executor]:
    """This machine, and clusters."""
    yield Executor(
        name="local",
        config="onlay_train.grid.executors.config:LocalConfig",
        build="onlay_train.grid.executors.local:build",
        summary="processes of this machine",
    )
    yield Executor(
        name="slurm",
        config="onlay_train.grid.executors.config:SlurmConfig",
        build="onlay_train.grid.executors.slurm:build",
        summary="job arrays of a Slurm cluster, by submitit",
        examples=({"cluster": "local", "jobs": 4},),
    )
    yield Executor(
        name="ray",
        config="onlay_train.grid.executors.config:RayConfig",
        build="onlay_train.grid.executors.ray:build",
        summary="tasks of a Ray cluster, or of one on this machine",
    )


@hookimpl(trylast=True)
def make_param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]]:
    """Tensors with weight decay, and those without."""
    from onlay_train.groups import param_groups

    return param_groups(model, config)
