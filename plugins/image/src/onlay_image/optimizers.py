"""Optimizers of timm that torch does not have."""

from __future__ import annotations

from typing import Any

import torch
from timm.optim import create_optimizer_v2, get_optimizer_info

from onlay.config.train import TrainConfig
from onlay.errors import ConfigError
from onlay.machine.guard import in_words

_ADAMS = (0.9, 0.999)


def build(groups: list[dict[str, Any]], config: TrainConfig, own: Any) -> torch.optim.Optimizer:
    """An optimizer of timm by its name there, with its own defaults but for what the run says."""
    info = get_optimizer_info(config.opt)
    given: dict[str, Any] = dict(own)
    if info.has_betas and info.num_betas == 2 and config.opt_betas != _ADAMS:
        given = {"betas": config.opt_betas, **given}
    given = {"momentum": config.momentum, "weight_decay": config.weight_decay, **given}
    given = {"lr": config.lr, **given}
    try:
        return create_optimizer_v2(groups, opt=config.opt, **given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"`train.opt_kwargs` does not suit `{config.opt}`: {in_words(error)}"
        ) from error
