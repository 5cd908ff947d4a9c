"""The optimizer of a run: torch's by name, or whatever a plugin registers or decides."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from onlay.config.optimizing import settings_of
from onlay.config.train import TrainConfig
from onlay.errors import ConfigError, PluginError
from onlay.host import PluginHost
from onlay.machine.guard import in_words
from onlay_train.groups import rated

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
        PluginError: its plugin fails, or gives something else.
    """
    groups = rated(host.make_param_groups(model, config), model, config)
    optimizer = host.make_optimizer(groups, config)
    if optimizer is None:
        given = groups, config, settings_of(config, host)
        optimizer = host.call("optimizer", config.opt, "build", *given)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise PluginError(
                f"optimizer `{config.opt}` of the plugin `{host.owner('optimizer', config.opt)}`"
                f" is a `{type(optimizer).__name__}` and no `torch.optim.Optimizer`"
            )
    return optimizer


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
