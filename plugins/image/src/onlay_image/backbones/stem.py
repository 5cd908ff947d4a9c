"""Patches made by several small convolutions instead of one that is as large as a patch.

Early convolutions make a vision transformer learn faster and with more rates (Xiao et al. 2021,
arXiv:2106.14881).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from timm.layers import LayerNorm2d, PatchEmbed, resample_abs_pos_embed
from torch import Tensor, nn

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


def with_positions(state: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """A state whose table of positions, which was learnt on a square of patches, is that of the
    model's patches. timm tells the square by the number of patches, and so misses another shape of
    as many; of usual patch embeddings it looks at the convolution."""
    table = state.get("pos_embed")
    if not isinstance(model.patch_embed, StemEmbed) or table is None or table.ndim != 3:
        return dict(state)
    kept = 0 if model.no_embed_class else model.num_prefix_tokens
    side = math.isqrt(table.shape[1] - kept)
    size: Any = model.patch_embed.grid_size
    grid = tuple(size)
    if side**2 != table.shape[1] - kept or grid == (side, side):
        return dict(state)
    fitted = resample_abs_pos_embed(table, list(grid), [side, side], num_prefix_tokens=kept)
    return {**state, "pos_embed": fitted}


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
