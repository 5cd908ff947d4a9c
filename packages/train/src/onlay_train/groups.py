"""The answer to `make_param_groups` when no plugin decides otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from onlay.config.train import TrainConfig
from onlay.model.depths import depths

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]]:
    """Tensors that decay, and biases and one-dimensional tensors, which do not; apart where their
    learning rates differ.

    With `filter_bias_and_bn` off, everything decays. Shared tensors come once.
    """
    rates = learning_rates(model, config)
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in model.trained_parameters().items():
        vector = parameter.ndim <= 1 or name.endswith(".bias")
        plain = vector and config.filter_bias_and_bn
        groups.setdefault((plain, rates[name]), []).append(parameter)
    return [
        {"params": found, "weight_decay": 0.0 if plain else config.weight_decay, "lr": rate}
        for (plain, rate), found in sorted(groups.items(), key=lambda each: each[0])
    ]


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
    return rates
