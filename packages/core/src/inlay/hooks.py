"""The hooks, told apart by their grammar: asks (`register_*`), decides (`make_*`), tells (past
participle).

A plugin is a module of functions decorated with `inlay.hookimpl`, named in the entry-point group
`inlay`. Arguments are passed by name; an implementation takes only those that it uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from inlay.adapted import AdaptedModel
    from inlay.anatomy import BuiltBackbone
    from inlay.config.run import RunConfig, TrainConfig
    from inlay.descriptors import Backbone, Command, Dataset, Exporter, Method, Modality, Task

PROJECT = "inlay"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_methods() -> Iterable[Method]:
    """Ask: which ways to adapt does the plugin bring?

    >>> @hookimpl
    ... def register_methods():
    ...     yield Method(name="lora", config=LoraConfig, attach="my_lora:attach", summary="low
    rank")
    """
    return ()


@hookspec
def register_backbones() -> Iterable[Backbone]:
    """Ask: which families of frozen networks does the plugin bring?"""
    return ()


@hookspec
def register_modalities() -> Iterable[Modality]:
    """Ask: which kinds of input can the plugin read?"""
    return ()


@hookspec
def register_tasks() -> Iterable[Task]:
    """Ask: which heads with loss and metrics does the plugin bring?"""
    return ()


@hookspec
def register_datasets() -> Iterable[Dataset]:
    """Ask: which layouts of labelled data can the plugin read?"""
    return ()


@hookspec
def register_exporters() -> Iterable[Exporter]:
    """Ask: which file formats can the plugin write a merged model to?"""
    return ()


@hookspec
def register_commands() -> Iterable[Command]:
    """Ask: which commands does the plugin add to `inlay`?"""
    return ()


@hookspec(firstresult=True)
def make_param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]] | None:
    """Decide: the optimizer's parameter groups; `None` leaves it to the next plugin, core answers
    last."""


@hookspec(firstresult=True)
def make_optimizer(
    groups: list[dict[str, Any]], config: TrainConfig
) -> torch.optim.Optimizer | None:
    """Decide: the optimizer; `None` leaves it to the next plugin, core answers last."""


@hookspec
def config_resolved(config: RunConfig) -> None:
    """Tell: the configuration of a run is complete and valid."""


@hookspec
def backbone_built(backbone: BuiltBackbone) -> None:
    """Tell: a backbone is built, weights loaded, not yet adapted."""


@hookspec
def adapter_attached(model: AdaptedModel) -> None:
    """Tell: an adapter is attached and has proved itself alive."""


@hookspec
def step_finished(model: AdaptedModel, step: int, metrics: Mapping[str, float]) -> None:
    """Tell: an optimizer step is done; sent once every `log_every` steps, never inside a step."""


@hookspec
def evaluated(model: AdaptedModel, split: str, metrics: Mapping[str, float]) -> None:
    """Tell: a split was evaluated."""


@hookspec
def checkpoint_saving(state: dict[str, Any], path: Path) -> None:
    """Tell: a checkpoint is about to be written; a plugin may add a key of its own to `state`."""


@hookspec
def checkpoint_loaded(state: dict[str, Any], path: Path) -> None:
    """Tell: a checkpoint was read."""


@hookspec
def run_finished(model: AdaptedModel, folder: Path, summary: Mapping[str, Any]) -> None:
    """Tell: a run ended and its bundle is written."""
