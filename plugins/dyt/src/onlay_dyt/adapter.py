"""Where Dynamic Tuning acts, and how many parameters that makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onlay_dyt.bottleneck import Experts
from onlay_dyt.dispatch import Closing, Returning, Router, Taking
from onlay_dyt.passing import Passing, Taught

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_dyt.config import DytConfig


def attach(place: Placement, config: DytConfig) -> None:
    """A router on the stream behind attention, the maps of the MLP for what passes, and an adapter
    from that stream to the block's end, outside LayerScale."""
    passing = Taught(config) if config.teacher else Passing(config)
    for block in place.blocks:
        stream, end = block.site("mlp.res"), block.site("block.out")
        layout = place.layout(block)
        router = Router(block.width, block.index, layout, passing, config.temperature)
        place.rewrite(stream, router)
        for map in place.readers(block.site("mlp.in")):
            place.replace(map, Taking(map, router))
        (last,) = place.maps(block.site("mlp.out"))
        place.replace(last, Returning(last, router, last=not block.norm_behind))
        if block.norm_behind:
            place.rewrite(end, Closing(router))
        place.branch(stream, end, Experts(block.width, config))


def count(config: DytConfig, anatomy: Anatomy) -> int:
    """N (2 D d + d + D) and D + 1 for each block, with several experts D N more."""
    return sum(of_block(block.width, config) for block in anatomy.blocks)


def of_block(width: int, config: DytConfig) -> int:
    inner, experts = config.bottleneck, config.experts
    mixing = width * experts if experts > 1 else 0
    return experts * (2 * width * inner + inner + width) + mixing + width + 1
