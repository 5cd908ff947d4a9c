"""The hooks, told apart by their grammar: asks (`register_*`), decides (`make_*`), tells (past
participle).

A plugin is a module of functions decorated with `onlay.hookimpl`, named in the entry-point group
`onlay`. Arguments are passed by name; an implementation takes only those that it uses. `model` is
always an `onlay.model.adapted.AdaptedModel`, `config` an `onlay.config.run.RunConfig` or, where
groups and optimizers are made, its `train`, an `onlay.config.train.TrainConfig`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from onlay.anatomy import BuiltBackbone
    from onlay.descriptors import (
        Backbone,
        Command,
        Dataset,
        Decoder,
        Executor,
        Exporter,
        Method,
        Modality,
        Optimizer,
        Protocol,
        Task,
        Tracker,
    )
    from onlay.settings import Config

PROJECT = "onlay"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run that a tell is about. All its processes and all its starts are told the same one."""

    folder: Path
    """Where its files are; it may be empty still."""
    id: str
    """Twelve hexadecimal digits, its own: another run in the same folder has another one."""
    config: Any
    """What is trained and how, complete: an `onlay.config.run.RunConfig`."""


@hookspec
def register_methods() -> Iterable[Method]:
    """Ask: which ways to adapt does the plugin bring?

    >>> @hookimpl
    ... def register_methods():
    ...     yield Method(
    ...         name="lora", config=LoraConfig, attach="my_lora:attach", summary="low rank"
    ...     )
    """
    return ()


@hookspec
def register_backbones() -> Iterable[Backbone]:
    """Ask: which families of frozen networks does the plugin bring?

    >>> @hookimpl
    ... def register_backbones():
    ...     yield Backbone(
    ...         name="my_net", config=MyNetConfig, build="my_net:build", modality="image",
    ...         provides="my_net:provides", summary="a transformer of our own",
    ...     )
    """
    return ()


@hookspec
def register_modalities() -> Iterable[Modality]:
    """Ask: which kinds of input can the plugin read?

    >>> @hookimpl
    ... def register_modalities():
    ...     yield Modality(
    ...         name="audio", reader="my_audio:reader", suffixes=frozenset({".wav"}),
    ...         summary="sound",
    ...     )
    """
    return ()


@hookspec
def register_tasks() -> Iterable[Task]:
    """Ask: which heads with loss and metrics does the plugin bring?

    >>> @hookimpl
    ... def register_tasks():
    ...     yield Task(name="count", config=CountConfig, build="my_count:build", summary="a number")
    """
    return ()


@hookspec
def register_decoders() -> Iterable[Decoder]:
    """Ask: which decoders for dense tasks does the plugin bring?

    >>> @hookimpl
    ... def register_decoders():
    ...     yield Decoder(
    ...         name="sum", config=SumConfig, build="my_sum:build", takes=frozenset({"pyramid"}),
    ...         summary="adds the maps up",
    ...     )
    """
    return ()


@hookspec
def register_datasets() -> Iterable[Dataset]:
    """Ask: which layouts of labelled data can the plugin read?

    >>> @hookimpl
    ... def register_datasets():
    ...     yield Dataset(
    ...         name="wds", config=WdsConfig, build="my_wds:build", modality="image",
    ...         summary="shards",
    ...     )
    """
    return ()


@hookspec
def register_exporters() -> Iterable[Exporter]:
    """Ask: which file formats can the plugin write a merged model to?

    >>> @hookimpl
    ... def register_exporters():
    ...     yield Exporter(name="onnx", modality="image", export="my_onnx:write", summary="ONNX")
    """
    return ()


@hookspec
def register_optimizers() -> Iterable[Optimizer]:
    """Ask: which ways to step does the plugin bring?

    >>> @hookimpl
    ... def register_optimizers():
    ...     yield Optimizer(
    ...         name="sam", build="my_sam:build", settings="my_sam:SamConfig", summary="flat minima"
    ...     )
    """
    return ()


@hookspec
def register_trackers() -> Iterable[Tracker]:
    """Ask: where can the plugin report a run to?

    >>> @hookimpl
    ... def register_trackers():
    ...     yield Tracker(name="sqlite", tracker="my_tracker:Sqlite", summary="a table of metrics")
    """
    return ()


@hookspec
def register_executors() -> Iterable[Executor]:
    """Ask: where can the plugin train the cells of a comparison?

    >>> @hookimpl
    ... def register_executors():
    ...     yield Executor(
    ...         name="flux", config="my_flux:FluxConfig", build="my_flux:build",
    ...         summary="jobs of a Flux cluster",
    ...     )
    """
    return ()


@hookspec
def register_protocols() -> Iterable[Protocol]:
    """Ask: which comparisons does the plugin know, for `onlay compare NAME`?

    >>> @hookimpl
    ... def register_protocols():
    ...     yield Protocol(
    ...         name="birds", modality="image", grid="my_birds:grid", summary="five sets of birds"
    ...     )
    """
    return ()


@hookspec
def register_commands() -> Iterable[Command]:
    """Ask: which commands does the plugin add to `onlay`?

    Answered for `onlay --help` too, so the module imports nothing heavy; `ctx.obj` is the host.

    >>> @hookimpl
    ... def register_commands():
    ...     yield Command(name="doctor", command="my_doctor:doctor", summary="Check this machine")
    """
    return ()


@hookspec(firstresult=True)
def make_param_groups(model: nn.Module, config: Config) -> list[dict[str, Any]] | None:
    """Decide: the optimizer's parameter groups over the trained parameters of `model`, each of them
    once; a group without an `lr` has the run's.

    `config` has the learning rate and weight decay. `None` leaves it to the next plugin; the one
    that trains answers last.

    >>> @hookimpl
    ... def make_param_groups(model, config):
    ...     head = list(model.head.parameters())
    ...     adapter = list(model.adapter.parameters())
    ...     return [{"params": adapter}, {"params": head, "lr": 10 * config.lr}]
    """


@hookspec(firstresult=True)
def make_optimizer(groups: list[dict[str, Any]], config: Config) -> torch.optim.Optimizer | None:
    """Decide: the optimizer over the parameter `groups`, all of them, whatever `config` names.

    `None` leaves it to the next plugin, and in the end to the one that `config.opt` names.

    >>> @hookimpl
    ... def make_optimizer(groups, config):
    ...     return torch.optim.SGD(groups, lr=config.lr, momentum=0.9)
    """


@hookspec
def config_resolved(config: Config) -> None:
    """Tell: the `config` of a run is complete and valid; a `ConfigError` raised here refuses it.

    >>> @hookimpl
    ... def config_resolved(config):
    ...     print(config.method.name, config.train.lr)
    """


@hookspec
def backbone_built(backbone: BuiltBackbone, run: Run | None) -> None:
    """Tell: `backbone` is built, its weights are loaded, and it is not yet adapted; `run` is `None`
    where it is not for a run (`onlay.adapt`, `onlay.load`).

    >>> @hookimpl
    ... def backbone_built(backbone):
    ...     print(backbone.label, sorted(backbone.anatomy.provides))
    """


@hookspec
def adapter_attached(model: nn.Module, run: Run | None) -> None:
    """Tell: `model` has an adapter, and the adapter has proved itself alive; `run` is `None` where
    it is not for a run.

    >>> @hookimpl
    ... def adapter_attached(model):
    ...     print(model.trainable_report())
    """


@hookspec
def step_finished(model: nn.Module, step: int, metrics: Mapping[str, float], run: Run) -> None:
    """Tell: optimizer step number `step` of `model` is done in `run`; `metrics` has `loss`, `lr`
    and the method's figures so far in the epoch.

    Sent once every `log_every` steps, never inside a step.

    >>> @hookimpl
    ... def step_finished(step, metrics):
    ...     print(step, metrics["loss"])
    """


@hookspec
def evaluated(model: nn.Module, split: str, metrics: Mapping[str, float], run: Run) -> None:
    """Tell: `model` of `run` was evaluated on `split` (`validation`, `test`, `train`) and reached
    `metrics`.

    >>> @hookimpl
    ... def evaluated(split, metrics):
    ...     print(split, metrics["top1"])
    """


@hookspec
def checkpoint_saving(state: MutableMapping[str, Any], path: Path, run: Run) -> None:
    """Tell: a checkpoint of `run` is about to be written to `path`; a plugin may add a key to
    `state`, and change none that is there.

    >>> @hookimpl
    ... def checkpoint_saving(state):
    ...     state["my_plugin"] = {"seen": 3}
    """


@hookspec
def checkpoint_loaded(state: dict[str, Any], path: Path, run: Run) -> None:
    """Tell: a checkpoint of `run` was read from `path`; `state` holds what the plugin put into it.

    >>> @hookimpl
    ... def checkpoint_loaded(state):
    ...     print(state.get("my_plugin"))
    """


@hookspec
def run_finished(model: nn.Module, folder: Path, summary: Mapping[str, Any], run: Run) -> None:
    """Tell: a `run` ended; its bundle of `model` lies in `folder`, `summary` is its table.

    >>> @hookimpl
    ... def run_finished(folder, summary):
    ...     print(folder, summary)
    """


@hookspec
def run_failed(run: Run, error: BaseException) -> None:
    """Tell: a `run` ended by an `error`, in this process; what was saved is in its folder, and the
    same command goes on.

    A run that a signal stopped has not failed.

    >>> @hookimpl
    ... def run_failed(run, error):
    ...     print(run.id, error)
    """


@hookspec
def cell_finished(cell: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """Tell: a cell of a comparison is trained; `cell` is what its `cell.json` holds (`name`, the
    `labels` of its axes, `config`, which `trial` of a search it is or `None`), `summary` is its
    table.

    Called in the process that hands out the cells, without torch, by the start which had the cell
    trained: a trial or a cell that another start or an earlier one trained is not told again.

    >>> @hookimpl
    ... def cell_finished(cell, summary):
    ...     print(cell["labels"], summary["metrics"])
    """
