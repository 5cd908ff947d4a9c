"""Patches made by several small convolutions instead of one that is as large as a patch.

Early convolutions make a vision transformer learn faster and with more rates (Xiao et al. 2021,
arXiv:2106.14881).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from timm.layers import LayerNorm2d, PatchEmbed
from torch import nn

STEM = "stem"


def with_stem(architecture: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `VisionTransformer` of facts that are plain values: `embed_layer: stem`
    is `StemEmbed`."""
    own = dict(architecture)
    return own | {"embed_layer": StemEmbed} if own.get("embed_layer") == STEM else own


class StemEmbed(PatchEmbed):
    """timm's patch embedding, for `VisionTransformer(embed_layer=StemEmbed)`: 3x3 convolutions of
    stride 2, twice as wide each time, to one token a patch.

    No batch statistics: a frozen backbone has none to keep.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        whole: Any = self.proj
        halvings = round(math.log2(int(self.patch_size[0])))
        if self.patch_size != (2**halvings, 2**halvings):
            raise ValueError(f"a stem of halvings makes no patches of {self.patch_size}")
        widths = [whole.out_channels >> (halvings - 1 - i) for i in range(halvings)]
        stem = _stem(whole.in_channels, widths, bias=whole.bias is not None)
        self.proj = stem  # type: ignore[assignment]


def _stem(channels: int, widths: list[int], *, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [
            nn.Conv2d(channels, width, 3, stride=2, padding=1),
            LayerNorm2d(width),
            nn.GELU(),
        ]
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, channels, 1, bias=bias))
