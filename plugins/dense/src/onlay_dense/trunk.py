"""What dense heads share: which maps are read, what makes one map of them, and the way back to the
picture's size.

Maps may reach beyond the picture, as its last patches are padded to whole ones.

Shapes: B batch, D width, H and W pixels, h and w a map's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

from onlay_dense.decoders.auto import chosen
from onlay_dense.decoders.config import AutoConfig
from onlay_dense.feeding import neck_for
from onlay_dense.levels import refuse_levels, stride_at, strides, taps

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.features import Features
    from onlay.host import PluginHost
    from onlay.settings import Config
    from onlay_dense.config import DenseConfig


Settings = TypeVar("Settings", bound="DenseConfig")


class Trunk(nn.Module):
    """One map (B, D, h, w) from a backbone's features; `width` is D.

    Args:
        stride: height and width in pixels of one place on the first of the maps.
    """

    def __init__(
        self,
        levels: Sequence[int],
        neck: nn.Module | None,
        decoder: Any,
        config: Config,
        stride: tuple[int, int],
    ) -> None:
        super().__init__()
        self.levels, self.config, self.stride = tuple(levels), config, stride
        self.width: int = decoder.width
        self.neck = nn.Identity() if neck is None else neck
        self.decoder = decoder

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What reports tell apart: `neck` and `decoder`, as far as they have parameters."""
        both = {"neck": self.neck, "decoder": self.decoder}
        return {name: part for name, part in both.items() if any(True for _ in part.parameters())}

    def resolved(self, task: Settings) -> Settings:
        """The task's settings with the decoder and the blocks that were chosen."""
        return task.model_copy(update={"decoder": self.config, "levels": self.levels})

    def forward(self, features: Features) -> Tensor:
        return self.decoder(self.neck(list(features.levels)))

    def to_pixels(self, map_BDhw: Tensor, inputs: Tensor) -> Tensor:
        """What was made of the trunk's map, on the size (H, W) of the inputs: bilinear on as many
        whole places as the picture has begun, and then cut."""
        (high, wide), (height, width) = inputs.shape[-2:], self.stride
        reach = -(-high // height) * height, -(-wide // width) * width
        whole = F.interpolate(map_BDhw, reach, mode="bilinear", align_corners=False)
        return whole[..., :high, :wide]


def build_trunk(
    decoder: Config, levels: Sequence[int] | None, anatomy: Anatomy, host: PluginHost
) -> Trunk:
    """A decoder on a backbone of any family; a pyramid is made for it where it needs one.

    Raises:
        AnatomyError: the backbone makes no maps of a picture.
        ConfigError: blocks that the backbone does not have, or too few or many of them; a decoder
            that it cannot feed.
    """
    registered = host.find("decoder", decoder.name)
    levels = taps(anatomy, registered.levels) if levels is None else levels
    refuse_levels(levels, anatomy, registered)
    channels = [anatomy.blocks[level].width for level in levels]
    found = strides(anatomy, levels)
    if isinstance(decoder, AutoConfig):
        decoder = chosen(decoder, found)
    neck, channels, found = neck_for(decoder, channels, found, host)
    made = host.call("decoder", decoder.name, "build", decoder, channels, found)
    return Trunk(levels, neck, made, decoder, stride_at(anatomy, levels[0]))
