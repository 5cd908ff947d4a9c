"""Four convolutions with a halving between them.

Shapes: B batch, C channels of pixels, D and E widths, H and W a map's height and width. Maps have
their channels last, as in Swin, but inside of a layer.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

WIDTHS = (24, 48, 96, 96)
"""Of the four layers: 135,960 parameters on three channels."""


class Last(nn.Sequential):
    """Layers on maps whose channels come last."""

    def forward(self, x_BHWD: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x_BHWD.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class SmallCnn(nn.Module):
    """Images to the last map, an 8th of their height and width; no head."""

    def __init__(self, in_chans: int) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.pixels = nn.Identity()
        ways = list(pairwise((in_chans, *WIDTHS)))
        self.enter = nn.ModuleList(_enter(*way, halves=n > 0) for n, way in enumerate(ways))
        self.blocks = nn.ModuleList(Last(nn.BatchNorm2d(width), nn.ReLU()) for width in WIDTHS)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """(B, H / 8, W / 8, D), rounded down at each halving."""
        x_BHWD = self.pixels(images_BCHW).permute(0, 2, 3, 1)
        for enter, block in zip(self.enter, self.blocks, strict=True):
            x_BHWD = block(enter(x_BHWD))
        return x_BHWD


def _enter(inside: int, outside: int, *, halves: bool) -> Last:
    pool = [nn.MaxPool2d(2)] if halves else []
    return Last(*pool, nn.Conv2d(inside, outside, 3, padding=1, bias=False))
