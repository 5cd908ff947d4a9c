"""The answer to `make_param_groups` when no plugin decides otherwise, and the rates of all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
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
    """The groups, as `listed` gives them, apart where the run's learning rates differ; a group that
    has a rate keeps it.

    Raises:
        ConfigError: a pattern of `train.lr_factors` fits no trained tensor.
    """
    by_name = learning_rates(model, config)
    rates = {id(tensor): by_name[name] for name, tensor in model.trained_parameters().items()}
    parted: list[dict[str, Any]] = []
    for group in groups:
        found: dict[float, list[Any]] = {}
        for each in group["params"]:
            rate = group.get("lr", rates.get(id(_tensor(each)), config.lr))
            found.setdefault(rate, []).append(each)
        parted += [{**group, "params": part, "lr": rate} for rate, part in sorted(found.items())]
    return parted


def listed(groups: Any) -> Any:
    """Groups with lists of tensors, or of tensors with their names, where a plugin gives what torch
    takes as well: iterators, one tensor. What is no groups at all stays as it is, for `unfit`."""
    if isinstance(groups, Mapping | Tensor | str) or not isinstance(groups, Iterable):
        return groups
    return [_with_a_list(group) for group in groups]


def _with_a_list(group: Any) -> Any:
    given = group.get("params") if isinstance(group, Mapping) else None
    if isinstance(given, Tensor):
        return {**group, "params": [given]}
    return {**group, "params": [*given]} if isinstance(given, Iterable) else group


def unfit(groups: Any, model: AdaptedModel) -> str:
    """Why an optimizer's groups are none for the model: each trained tensor is in one of them, and
    nothing else is."""
    if not isinstance(groups, list) or not all(_is_group(group) for group in groups):
        return "they are no list of mappings with `params`"
    for rate in (group["lr"] for group in groups if "lr" in group):
        if not isinstance(rate, float | int | Tensor):
            return f"a group has the `lr` {rate!r}, which is no number"
        if not 0 <= float(rate) < math.inf:
            return f"a group has the `lr` {float(rate):g}"
    names = {id(tensor): name for name, tensor in model.trained_parameters().items()}
    often = Counter(id(_tensor(each)) for group in groups for each in group["params"])
    wrong = {
        "is trained and in no group": [name for each, name in names.items() if not often[each]],
        "is in the groups more than once": [n for each, n in names.items() if often[each] > 1],
    }
    for said, found in wrong.items():
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return f"`{found[0]}`{more} {said}"
    return "they hold a tensor that the run does not train" if often.keys() - names.keys() else ""


def _is_group(group: Any) -> bool:
    return isinstance(group, Mapping) and isinstance(group.get("params"), list)


def _tensor(each: Any) -> Any:
    """Of a tensor, or of one with its name in front."""
    return each[1] if isinstance(each, tuple) else each


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
