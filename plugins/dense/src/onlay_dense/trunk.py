"""What dense heads share: which maps are read, what makes one map of them, and the way back to the
picture's size.

Shapes: B batch, D width, H and W pixels, h and w a map's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from onlay.errors import AnatomyError, ConfigError

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.config.base import Config
    from onlay.features import Features
    from onlay.host import PluginHost


class Trunk(nn.Module):
    """One map (B, D, h, w) from a backbone's features; `width` is D."""

    def __init__(
        self, levels: Sequence[int], neck: nn.Module | None, decoder: nn.Module, width: int
    ) -> None:
        super().__init__()
        self.levels, self.width = tuple(levels), width
        self.neck = nn.Identity() if neck is None else neck
        self.decoder = decoder

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What reports tell apart."""
        return {"neck": self.neck, "decoder": self.decoder}

    def forward(self, features: Features) -> Tensor:
        return self.decoder(self.neck(list(features.levels)))


def build_trunk(
    decoder: Config, levels: Sequence[int] | None, anatomy: Anatomy, host: PluginHost
) -> Trunk:
    """A decoder on a backbone of any family.

    Raises:
        ConfigError: a level that the backbone does not have; a decoder that it cannot feed.
    """
    registered = host.find("decoder", decoder.name)
    levels = taps(anatomy, registered.levels) if levels is None else levels
    depth = len(anatomy.blocks)
    if max(levels) >= depth:
        raise ConfigError(
            f"`task.levels` asks for block {max(levels)}, and the backbone has 0 to {depth - 1}"
        )
    channels = [anatomy.blocks[level].width for level in levels]
    made = host.call("decoder", decoder.name, "build", decoder, channels, strides(anatomy, levels))
    return Trunk(levels, None, made, made.width)


def taps(anatomy: Anatomy, count: int) -> tuple[int, ...]:
    """The last blocks of the stages, or of equal parts of the depth; the last `count` of them."""
    if len(anatomy.stages) > 1:
        return tuple(stage.blocks[-1].index for stage in anatomy.stages)[-count:]
    depth = len(anatomy.blocks)
    return tuple(sorted({-(-depth * part // count) - 1 for part in range(1, count + 1)}))


def strides(anatomy: Anatomy, levels: Sequence[int]) -> list[int]:
    """Pixels of the picture's height for one place of each map.

    Raises:
        AnatomyError: the backbone makes no maps of a picture.
    """
    found = {b.index: stage.stride for stage in anatomy.stages for b in stage.blocks}
    known = [stride for level in levels if (stride := found[level]) is not None]
    if len(known) < len(levels):
        raise AnatomyError("the backbone does not say which pixels its maps are of")
    return [height for height, _ in known]


def to_pixels(map_BDhw: Tensor, inputs: Tensor) -> Tensor:
    """A map on the size (H, W) of the inputs: bilinear."""
    return F.interpolate(map_BDhw, inputs.shape[-2:], mode="bilinear", align_corners=False)
