"""Which blocks of a backbone are read, and on which maps they stand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from onlay.errors import AnatomyError, ConfigError

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.descriptors import Decoder


def taps(anatomy: Anatomy, count: int) -> tuple[int, ...]:
    """The last blocks of the last `count` stages, all of them where there are fewer; of a backbone
    without stages the last block of each of `count` equal parts of the depth.

    Of 12 blocks that is 2, 5, 8, 11; of two blocks 0, 0, 1, 1.
    """
    if len(anatomy.stages) > 1:
        return tuple(stage.blocks[-1].index for stage in anatomy.stages)[-count:]
    depth = len(anatomy.blocks)
    return tuple(-(-depth * part // count) - 1 for part in range(1, count + 1))


def refuse_levels(levels: Sequence[int], anatomy: Anatomy, decoder: Decoder) -> None:
    """Levels that were asked for.

    Raises:
        ConfigError: blocks that are not there, or not as many as the decoder reads.
    """
    depth = len(anatomy.blocks)
    if max(levels, default=0) >= depth:
        raise ConfigError(
            f"`task.levels` asks for block {max(levels)}, and the backbone has 0 to {depth - 1}"
        )
    one = len(levels) == 1 and "one_stride" not in decoder.takes  # of which a pyramid is made
    shrink = len(set(strides(anatomy, levels))) > 1
    fewer = shrink and len(levels) < decoder.levels  # the last one is pooled further
    if len(levels) != decoder.levels and not one and not fewer:
        raise ConfigError(
            f"`task.levels` names {_blocks(len(levels))}, and decoder `{decoder.name}` reads"
            f" {decoder.levels}"
        )


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"


def strides(anatomy: Anatomy, levels: Sequence[int]) -> list[float]:
    """Pixels of the picture's height for one place of each map; fails as `stride_at` does."""
    return [stride_at(anatomy, level)[0] for level in levels]


def stride_at(anatomy: Anatomy, level: int) -> tuple[int, int]:
    """Height and width in pixels of one place on a block's map.

    Raises:
        AnatomyError: the backbone makes no maps of a picture.
    """
    found = {b.index: stage.stride for stage in anatomy.stages for b in stage.blocks}[level]
    if found is None:
        raise AnatomyError("the backbone does not say which pixels its maps are of")
    return found


def kind_of(strides: Sequence[float]) -> str:
    """`one_stride` or `pyramid`.

    Raises:
        ConfigError: neither; such maps are only had by naming blocks.
    """
    if len(set(strides)) == 1:
        return "one_stride"
    if all(coarse == 2 * fine for fine, coarse in pairwise(strides)):
        return "pyramid"
    told = ", ".join(f"{stride:g}" for stride in strides)
    raise ConfigError(
        f"the maps of `task.levels` have {told} pixels to a place: name blocks of one stage, or the"
        " last blocks of stages that follow on each other"
    )
