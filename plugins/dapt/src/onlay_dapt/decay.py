"""Which of DAPT's tensors decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onlay.config.train import TrainConfig
    from onlay.model.adapted import AdaptedModel


def param_groups(model: AdaptedModel, config: TrainConfig) -> list[dict[str, Any]]:
    """As in the authors' code: neither biases nor vectors decay, nor what is called a `token`; the
    class token's position does.
    """
    decayed, plain = [], []
    for name, parameter in model.trained_parameters().items():
        spared = parameter.ndim <= 1 or name.endswith(".bias") or "token" in name
        (plain if spared else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
