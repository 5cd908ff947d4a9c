"""Tokens as a map of patches, and back.

Shapes: B batch, T tokens, D channels, P tokens that lie on no map, h and w the map's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from onlay.features import Layout, map_of

Convolution = Callable[[Tensor], Tensor]


def convolved(x: Tensor, layout: Callable[[], Layout], convolution: Convolution) -> Tensor:
    """What a convolution with zero padding makes of tokens (B, T, D), or of a map (B, h, w, D) as
    it comes. Each token that lies on no map (class token, registers, inserted ones) is an image of
    its own, 1 x 1, of which the centre of a kernel alone sees something."""
    if x.ndim == 4:
        return _run(x, convolution)
    grid = map_of(layout())
    assert grid is not None, "the method needs `grid`"
    first = x.shape[1] - grid[0] * grid[1]
    patches = _run(x[:, first:].unflatten(1, grid), convolution).flatten(1, 2)
    if not first:
        return patches
    others = _run(x[:, :first].flatten(0, 1)[:, None, None], convolution)
    return torch.cat([others.reshape(x.shape[0], first, -1), patches], dim=1)


def _run(map_BhwD: Tensor, convolution: Convolution) -> Tensor:
    return convolution(map_BhwD.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
