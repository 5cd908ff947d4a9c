"""Channels of a backbone that are not red, green and blue."""

from __future__ import annotations

from collections.abc import Sequence

from timm.models import adapt_input_conv
from torch import Tensor, nn

from onlay_image.timm_types import TimmModule

COLOURS = 3
_FIRST = ("patch_embed.proj.weight", "patch_embed.proj.0.weight")  # of patches, of a stem


def channels_of(model: TimmModule) -> int:
    """How many channels a model's patches are made from."""
    layers = model.patch_embed.modules()  # the first of a hybrid's is its own backbone's
    return next(layer.in_channels for layer in layers if isinstance(layer, nn.Conv2d))


def fit_channels(state: dict[str, Tensor], in_chans: int) -> None:
    """Weights of a first layer for colours become those for as many channels, as timm does it."""
    for name in _FIRST:
        first = state.get(name)
        if first is not None and first.ndim > 1 and first.shape[1] == COLOURS != in_chans:
            state[name] = adapt_input_conv(in_chans, first)


def spread(statistics: Sequence[float], in_chans: int) -> list[float]:
    """Means or deviations of red, green and blue for another number of channels.

    As timm does it with pretrained weights of the first layer: one channel stands for all three
    together, more than three repeat them.

    >>> spread((0.25, 0.5, 0.75), 1), spread((0.1, 0.2, 0.3), 4)
    ([0.5], [0.1, 0.2, 0.3, 0.1])
    """
    if len(statistics) == in_chans:
        return list(statistics)
    if in_chans == 1:
        return [sum(statistics) / len(statistics)]
    return [statistics[channel % len(statistics)] for channel in range(in_chans)]
