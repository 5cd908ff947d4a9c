"""How large a kernel may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onlay.anatomy.liveness import same_draws
from onlay.errors import ConfigError

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy


def refuse_beyond_the_map(kernel_size: int, anatomy: Anatomy) -> None:
    """A kernel that reaches further to each side than the largest map has places holds taps that
    never meet one, and never train.

    Maps are those of a picture of the size that the backbone expects; of a backbone whose stages
    have no stride nothing is known.

    Raises:
        ConfigError: it does.
    """
    strides = [stage.stride for stage in anatomy.stages if stage.stride is not None]
    if kernel_size == 1 or not strides:
        return
    with same_draws():
        pixels = anatomy.example().shape[-2:]
    finest = (min(sides) for sides in zip(*strides, strict=True))
    height, width = (-(-size // side) for size, side in zip(pixels, finest, strict=True))
    reach, longest = kernel_size // 2, max(height, width)
    if reach > longest:
        raise ConfigError(
            f"`method.kernel_size` {kernel_size} reaches {reach} places to each side, and the"
            f" largest map has {height} x {width}; take {2 * longest + 1} or less"
        )
