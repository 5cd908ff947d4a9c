"""What every decoder of segmentation-models-pytorch goes through, to be right on any grid and for a
single image.

Its decoders are written for maps that halve exactly, and for batch norm. Shapes: B batch, C
channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from segmentation_models_pytorch.base.initialization import initialize_decoder
from torch import Tensor, nn
from torch.nn import functional as F

GROUP = 16
"""Channels that are normed together."""


def ready(decoder: nn.Module) -> None:
    """Group norms in place of all others, which know nothing of other images; then the library's
    own start."""
    regrouped(decoder)
    initialize_decoder(decoder)


def regrouped(module: nn.Module) -> None:
    """Batch norms, and norms over groups of another size, become group norms; they have as many
    parameters."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, group_norm(child.num_features))
        elif isinstance(child, nn.GroupNorm):
            setattr(module, name, group_norm(child.num_channels))
        else:
            regrouped(child)


def group_norm(channels: int) -> nn.GroupNorm:
    """Over groups of 16 channels, or of the next larger number that divides them.

    >>> group_norm(64).num_groups, group_norm(24).num_groups, group_norm(10).num_groups
    (4, 1, 1)
    """
    return nn.GroupNorm(gcd(channels, max(channels // GROUP, 1)), channels)


def padded(map_BChw: Tensor, height: int, width: int) -> Tensor:
    """With zeros below and to the right."""
    h, w = map_BChw.shape[-2:]
    return map_BChw if (h, w) == (height, width) else F.pad(map_BChw, (0, width - w, 0, height - h))


def halving(maps: Sequence[Tensor]) -> list[Tensor]:
    """Padded maps, of which each is exactly twice as high and wide as the next."""
    sizes = [2**n for n in range(len(maps))][::-1]
    height, width = (
        max(-(-x.shape[axis] // size) for x, size in zip(maps, sizes, strict=True))
        for axis in (-2, -1)
    )
    return [padded(x, height * size, width * size) for x, size in zip(maps, sizes, strict=True)]
