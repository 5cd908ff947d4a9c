"""The optimizer of a run: torch's by name, or whatever a plugin registers or decides."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from onlay.config.optimizing import settings_of
from onlay.config.train import TrainConfig
from onlay.errors import ConfigError, PluginError, RunError
from onlay.host import PluginHost
from onlay.machine.guard import in_words
from onlay_train.groups import listed, rated, unfit
from onlay_train.replay import wants_closure

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel

CLASSES = {
    name.lower(): name
    for name in (
        *("AdamW", "SGD", "Adam", "NAdam", "RAdam", "Adamax"),
        *("Adagrad", "Adadelta", "Adafactor", "RMSprop", "ASGD"),
    )
}
"""Names of `torch.optim`; LBFGS, SparseAdam and Muon are not for any tensor, Rprop not for
batches."""

_FUSED = frozenset({"adamw", "adam", "sgd"})
"""One call a step on every device."""
_WAYS = frozenset({"fused", "foreach", "differentiable"})
"""Of which only one can be on."""
_BETAS = (0.9, 0.999)


def make_optimizer(
    model: AdaptedModel, config: TrainConfig, host: PluginHost
) -> torch.optim.Optimizer:
    """The optimizer of a run: what a plugin decides, else what `config.opt` names.

    Raises:
        ConfigError: `train.opt_kwargs` does not suit it, or `train.lr_factors` no tensor.
        PluginError: its plugin fails, or gives something else, or not each trained tensor once.
    """
    if not model.trained_parameters():
        raise RunError("there is nothing to train: all tensors of adapter and head are frozen")
    decided = listed(host.make_param_groups(model, config))
    if wrong := unfit(decided, model):
        raise PluginError(f"the groups of {_first(host, 'make_param_groups')}: {wrong}")
    groups = rated(decided, model, config)
    optimizer = host.make_optimizer(groups, config)
    if optimizer is None:
        given = groups, config, settings_of(config, host)
        optimizer = host.call("optimizer", config.opt, "build", *given)
        whose = f"optimizer `{config.opt}` of the plugin `{host.owner('optimizer', config.opt)}`"
    else:
        whose = f"the optimizer of {_first(host, 'make_optimizer')}"
    if wrong := _unfit(optimizer, model):
        raise PluginError(f"{whose}: {wrong}")
    return optimizer


def _first(host: PluginHost, hook: str) -> str:
    """Who decided."""
    return f"the plugin `{host.decider(hook)}` (`{hook}`)"


def _unfit(optimizer: Any, model: AdaptedModel) -> str:
    if not isinstance(optimizer, torch.optim.Optimizer):
        return f"it is a `{type(optimizer).__name__}` and no `torch.optim.Optimizer`"
    step = inspect.signature(optimizer.step).parameters.values()
    if not wants_closure(optimizer) and any(p.default is p.empty for p in step):
        return "its `step` needs a closure, and it does not say `needs_closure = True`"
    return unfit(optimizer.param_groups, model)


def torchs(groups: list[dict[str, Any]], config: TrainConfig, own: Any) -> torch.optim.Optimizer:
    """An optimizer of torch by its lower-case name."""
    kind = getattr(torch.optim, CLASSES[config.opt])
    takes = inspect.signature(kind).parameters
    given = {"lr": config.lr, "weight_decay": config.weight_decay}
    given |= {"betas": config.opt_betas} if "betas" in takes else {}
    given |= {"momentum": config.momentum} if "momentum" in takes else {}
    given |= {"nesterov": True} if config.opt == "sgd" and config.momentum else {}
    given |= {"fused": True} if config.opt in _FUSED and not own.keys() & _WAYS else {}
    return built(kind, groups, given | own, takes)


def built(make: Any, groups: Any, given: dict[str, Any], takes: Any) -> torch.optim.Optimizer:
    """`make(groups, **given)`, with a refusal in words."""
    unknown = sorted(given.keys() - takes)
    if unknown:
        have = ", ".join(f"`{name}`" for name in takes if name not in ("params", "lr"))
        raise ConfigError(
            f"`train.opt_kwargs.{unknown[0]}`: the optimizer has no such setting (have: {have})"
        )
    try:
        return make(groups, **given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"`train.opt_kwargs` does not suit it: {in_words(error)}") from error
