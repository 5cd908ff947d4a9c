"""The answers to `make_param_groups` and `make_optimizer` when no plugin decides otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from onlay.config.train import TrainConfig

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]]:
    """Two groups: tensors that decay, and biases and one-dimensional tensors, which do not.

    With `filter_bias_and_bn` off, everything decays. Shared tensors come once.
    """
    decayed, plain = [], []
    for name, parameter in model.trained_parameters().items():
        vector = parameter.ndim <= 1 or name.endswith(".bias")
        (plain if vector and config.filter_bias_and_bn else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def adamw(groups: list[dict[str, Any]], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), one fused call per step."""
    return torch.optim.AdamW(
        groups,
        lr=config.lr,
        betas=config.opt_betas,
        weight_decay=config.weight_decay,
        fused=True,
    )
