"""Which decoder is taken where none is named."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from onlay_dense.decoders.config import AutoConfig, DptConfig, UperNetConfig


def chosen(config: AutoConfig, strides: Sequence[float]) -> DptConfig | UperNetConfig:
    """DPT where all maps have one size, else UPerNet."""
    one_size = len(set(strides)) == 1
    return DptConfig(width=config.width) if one_size else UperNetConfig(width=config.width)


def build(config: AutoConfig, channels: Sequence[int], strides: Sequence[float]) -> nn.Module:
    """The one that is chosen."""
    from onlay_dense.decoders import dpt, pyramids

    found = chosen(config, strides)
    if isinstance(found, DptConfig):
        return dpt.build(found, channels, strides)
    return pyramids.build_upernet(found, channels, strides)
