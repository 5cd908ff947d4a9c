"""A plain PointNet (Qi et al. 2017) without its learned turns: four layers for each point alone, of
which the head takes the maximum over points.

Shapes: B batch, N points, D width.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

WIDTHS = (64, 128, 256, 384)
"""Of the four layers: 141,120 parameters."""


class Normed(nn.Sequential):
    """A batch norm over all points, and a ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.BatchNorm1d(width), nn.ReLU())
        self.width = width

    def forward(self, x_BND: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x_BND.transpose(1, 2)).transpose(1, 2)


class SmallPointNet(nn.Module):
    """Clouds (B, N, 3 or more) to a token for each point, (B, N, D); further columns are unread."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.Identity()
        ways = pairwise((3, *WIDTHS))
        self.enter = nn.ModuleList(nn.Linear(*way, bias=False) for way in ways)
        self.blocks = nn.ModuleList(map(Normed, WIDTHS))

    def forward(self, points_BN3: Tensor) -> Tensor:
        x_BND = self.points(points_BN3)[..., :3].to(self.enter[0].weight.dtype)
        for enter, block in zip(self.enter, self.blocks, strict=True):
            x_BND = block(enter(x_BND))
        return x_BND
