"""Optimizers of timm that torch does not have."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from timm.optim import create_optimizer_v2, get_optimizer_info

from onlay.config.train import TrainConfig
from onlay.errors import ConfigError
from onlay.machine.guard import in_words

_ADAMS = (0.9, 0.999)
_OF_THE_RUN = ("lr", "weight_decay")


def build(groups: list[dict[str, Any]], config: TrainConfig, own: Any) -> torch.optim.Optimizer:
    """An optimizer of timm by its name there, with its own defaults but for what the run says."""
    info = get_optimizer_info(config.opt)
    kind: Any = info.opt_class
    takes = signature(kind).parameters
    if unknown := sorted(own.keys() - takes.keys()):
        have = ", ".join(f"`{name}`" for name in takes if name not in (*_OF_THE_RUN, "params"))
        raise ConfigError(
            f"`train.opt_kwargs.{unknown[0]}`: `{config.opt}` has no such setting (have: {have})"
        )
    given: dict[str, Any] = dict(own)
    if info.has_betas and config.opt_betas != _ADAMS and "betas" not in own:
        if info.num_betas != 2:
            raise ConfigError(
                f"`train.opt_betas` has two numbers, and `{config.opt}` takes {info.num_betas}: say"
                " `train.opt_kwargs.betas`"
            )
        given = {"betas": config.opt_betas, **given}
    given = {"momentum": config.momentum, "weight_decay": config.weight_decay, **given}
    given = {"lr": config.lr, **given}
    try:
        return create_optimizer_v2(groups, opt=config.opt, **given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"`train.opt_kwargs` does not suit `{config.opt}`: {in_words(error)}"
        ) from error
