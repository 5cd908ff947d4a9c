"""The answer to `make_param_groups` when no plugin decides otherwise, and the rates of all."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from onlay.config.train import TrainConfig
from onlay.errors import ConfigError
from onlay.model.depths import depths

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]]:
    """Tensors that decay, and those that do not: biases, one-dimensional tensors, and what the
    backbone names, as timm has it.

    With `filter_bias_and_bn` off, everything decays. Shared tensors come once.
    """
    groups: dict[bool, list[nn.Parameter]] = {}
    spared = model.no_weight_decay()
    for name, parameter in model.trained_parameters().items():
        vector = parameter.ndim <= 1 or name.endswith(".bias") or name in spared
        groups.setdefault(vector and config.filter_bias_and_bn, []).append(parameter)
    return [
        {"params": found, "weight_decay": 0.0 if plain else config.weight_decay}
        for plain, found in sorted(groups.items())
    ]


def rated(
    groups: list[dict[str, Any]], model: AdaptedModel, config: TrainConfig
) -> list[dict[str, Any]]:
    """The groups, apart where the run's learning rates differ; a group that has a rate keeps it.
    As torch has it, a group holds tensors, tensors with their names, or one tensor.

    Raises:
        ConfigError: a pattern of `train.lr_factors` fits no trained tensor.
    """
    by_name = learning_rates(model, config)
    rates = {id(tensor): by_name[name] for name, tensor in model.trained_parameters().items()}
    parted: list[dict[str, Any]] = []
    for group in groups:
        found: dict[float, list[Any]] = {}
        given = group["params"]
        for each in [given] if isinstance(given, Tensor) else given:
            tensor = each[1] if isinstance(each, tuple) else each  # with its name
            rate = group.get("lr", rates.get(id(tensor), config.lr))
            found.setdefault(rate, []).append(each)
        parted += [{**group, "params": part, "lr": rate} for rate, part in sorted(found.items())]
    return parted


def learning_rates(model: AdaptedModel, config: TrainConfig) -> dict[str, float]:
    """The peak learning rate of every trained tensor."""
    names = model.trained_parameters()
    rates = dict.fromkeys(names, config.lr)
    if config.layer_decay < 1:
        last = len(model.anatomy.blocks) + 1
        for name, depth in depths(model).items():
            rates[name] *= config.layer_decay ** (last - depth)
    if config.head_lr is not None:
        rates |= {name: config.head_lr for name in names if name.startswith("head.")}
    factors = _factors(names, config.lr_factors)
    return {name: rate * factors.get(name, 1.0) for name, rate in rates.items()}


def _factors(names: Mapping[str, Any], patterns: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for pattern, factor in patterns.items():
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            some = ", ".join(f"`{name}`" for name in list(names)[:3])
            raise ConfigError(
                f"`train.lr_factors`: no trained tensor fits `{pattern}` (some of the"
                f" {len(names)}: {some})"
            )
        found |= dict.fromkeys(fitting, factor)
    return found
