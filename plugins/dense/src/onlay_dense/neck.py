"""Necks: from the maps that a backbone has to the pyramid that a decoder reads.

Shapes: B batch, C channels of the backbone, D of the pyramid, h and w a map's.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class SimplePyramid(nn.Module):
    """Four maps of one size, the finest's first, become maps of four times, twice, once and half
    that size, with D channels each: ViTDet's simple feature pyramid (arXiv 2203.16527, section 3),
    which reads one map four times where it is given one."""

    scales = (4.0, 2.0, 1.0, 0.5)

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        a, b, c, d = channels if len(channels) == 4 else 4 * tuple(channels)
        up, norm = nn.ConvTranspose2d, _norm
        four = nn.Sequential(up(a, a // 2, 2, 2), norm(a // 2), nn.GELU(), up(a // 2, a // 4, 2, 2))
        pool = nn.MaxPool2d(2, ceil_mode=True)
        self.resize = nn.ModuleList([four, up(b, b // 2, 2, 2), nn.Identity(), pool])
        self.project = nn.ModuleList(_project(n, width) for n in (a // 4, b // 2, c, d))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        four = maps if len(maps) == 4 else 4 * list(maps)
        steps = zip(self.resize, self.project, four, strict=True)
        return [project(resize(map_BChw)) for resize, project, map_BChw in steps]


def _project(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 1, bias=False),
        _norm(width),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        _norm(width),
    )


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels)


class Coarser(nn.Module):
    """A pyramid with `count` more maps, each the last one pooled to half its size."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        found = list(maps)
        for _ in range(self.count):
            found.append(F.max_pool2d(found[-1], 2, ceil_mode=True))
        return found
