"""From the maps of a backbone to the pyramid that objects are looked for on.

Shapes: B batch, D channels of the pyramid, h and w a map's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from onlay.errors import ConfigError
from onlay_dense.levels import kind_of, strides, taps
from onlay_dense.neck import SimplePyramid

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy


class StagePyramid(nn.Module):
    """Levels (B, D, h, w) of the stages of a hierarchical backbone, with what coarser ones know
    (Lin et al. 2017)."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.pyramid = FeaturePyramidNetwork(list(channels), width)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        named = {str(n): each for n, each in enumerate(maps)}
        return list(self.pyramid(named).values())


class Coarsest(nn.Module):
    """One more level, every second place of the last one, for anchors of the largest objects."""

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        return [*maps, maps[-1][..., ::2, ::2]]


def build_neck(
    anatomy: Anatomy, levels: Sequence[int] | None, width: int
) -> tuple[tuple[int, ...], nn.Module, list[float]]:
    """The blocks that are read, what makes a pyramid of their maps, and its strides in pixels.

    Raises:
        AnatomyError: the backbone makes no maps of a picture.
        ConfigError: blocks that it does not have, or that make no pyramid.
    """
    stages = len(anatomy.stages)
    chosen = taps(anatomy, stages) if levels is None else tuple(levels)
    _refuse_absent(chosen, len(anatomy.blocks))
    found = strides(anatomy, chosen)
    channels = [anatomy.blocks[level].width for level in chosen]
    if kind_of(found) == "pyramid":
        return chosen, StagePyramid(channels, width), found
    if len(chosen) not in (1, 4):
        raise ConfigError(
            f"`task.levels` names {len(chosen)} blocks whose maps are of one size: name one, of"
            " which a pyramid is made, or four, one for each of its levels"
        )
    pyramid = SimplePyramid(channels, width)
    return chosen, pyramid, [found[0] / scale for scale in pyramid.scales]


def _refuse_absent(levels: Sequence[int], depth: int) -> None:
    if not levels or max(levels) >= depth:
        asked = f"block {max(levels)}" if levels else "no block"
        raise ConfigError(f"`task.levels` asks for {asked}, and the backbone has 0 to {depth - 1}")
