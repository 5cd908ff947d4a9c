"""Devices by name, as torch names them."""

from __future__ import annotations

from typing import Any

import torch

from onlay.errors import ConfigError


def usable(device: Any) -> Any:
    """The device that was asked for.

    Raises:
        ConfigError: torch cannot put a number there.
    """
    try:
        if torch.empty(0, device=device).is_meta:
            raise RuntimeError("it holds no numbers")
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ConfigError(
            f"device `{device}` cannot be used: torch knows none of that name, or finds none here"
            " (`cpu` is always there, `cuda`, `cuda:1` or `mps` where the machine has it)"
        ) from error
    return device
