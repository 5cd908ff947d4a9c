"""From maps of a backbone's blocks to one map.

Shapes: B batch, C channels of a map, D those of the map that is made, h and w places.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import MyDecoderConfig


class MyDecoder(nn.Module):
    """One map (B, D, h, w), as large as the first that it is given.

    Its norm is one of groups, which a batch of a single image can train, too.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.width = width
        self.project = nn.ModuleList(nn.Conv2d(each, width, 1) for each in channels)
        self.norm: nn.Module = nn.GroupNorm(1, width)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The maps have any sizes; those of a pyramid halve, rounded up."""
        size = maps[0].shape[-2:]
        found = [
            functional.interpolate(project(x), size, mode="bilinear")
            for project, x in zip(self.project, maps, strict=True)
        ]
        return self.norm(torch.stack(found).sum(0))


def build(
    config: MyDecoderConfig,
    channels: Sequence[int],
    strides: Sequence[float],
) -> MyDecoder:
    """`channels` and `strides` (pixels to a place) are those of the maps, in order."""
    return MyDecoder(channels, config.width)
