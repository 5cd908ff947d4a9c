"""Mean and deviation of each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from onlay.errors import ConfigError
from onlay_image.backbones.channels import spread
from onlay_image.data.preparing import ImagePreprocess

_STATISTICS = {
    "imagenet": (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}


def statistics(
    config: ImagePreprocess, input_spec: Mapping[str, Any], in_chans: int
) -> tuple[list[float], list[float]]:
    """Those that the config says, or names, for as many channels as the backbone takes.

    Raises:
        ConfigError: the config says another number of them.
    """
    named = input_spec["mean"], input_spec["std"]
    if config.normalize != "backbone":
        named = _STATISTICS[config.normalize]
    return (
        _of_channels("mean", config.mean, named[0], in_chans),
        _of_channels("std", config.std, named[1], in_chans),
    )


def _of_channels(
    name: str, given: Sequence[float] | None, named: Sequence[float], in_chans: int
) -> list[float]:
    if given is not None and len(given) != in_chans:
        raise ConfigError(
            f"`preprocess.{name}` has {len(given)} numbers, and the backbone takes {in_chans}"
            " channels"
        )
    return spread(named, in_chans) if given is None else list(given)
