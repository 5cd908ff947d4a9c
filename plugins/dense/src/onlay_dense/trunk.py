"""What dense heads share: which maps are read, what makes one map of them, and the way back to the
picture's size.

Maps may reach beyond the picture, as its last patches are padded to whole ones.

Shapes: B batch, D width, H and W pixels, h and w a map's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from onlay.errors import ConfigError
from onlay_dense.decoders.auto import chosen
from onlay_dense.decoders.config import AutoConfig
from onlay_dense.levels import kind_of, refuse_levels, stride_at, strides, taps
from onlay_dense.neck import Coarser, SimplePyramid

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.config.base import Config
    from onlay.descriptors import Decoder
    from onlay.features import Features
    from onlay.host import PluginHost
    from onlay_dense.config import DenseConfig

NECK = 64
"""Channels of the pyramid that is made of a plain transformer's maps, for a decoder whose settings
have no `width`."""


class Trunk(nn.Module):
    """One map (B, D, h, w) from a backbone's features; `width` is D.

    Args:
        stride: height and width in pixels of one place on the first of the maps.
    """

    def __init__(
        self,
        levels: Sequence[int],
        neck: nn.Module | None,
        decoder: nn.Module,
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

    def resolved(self, task: DenseConfig) -> DenseConfig:
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
    if levels is None:
        levels = taps(anatomy, registered.levels)
    else:
        refuse_levels(levels, anatomy, registered)
    channels = [anatomy.blocks[level].width for level in levels]
    found = strides(anatomy, levels)
    kind = kind_of(found)
    if isinstance(decoder, AutoConfig):
        decoder = chosen(decoder, found)
        registered = host.find("decoder", decoder.name)
    pyramid = getattr(decoder, "width", NECK)
    neck, channels, found = _neck(registered, kind, channels, found, pyramid, host)
    made = host.call("decoder", decoder.name, "build", decoder, channels, found)
    return Trunk(levels, neck, made, decoder, stride_at(anatomy, levels[0]))


Made = tuple[nn.Module | None, list[int], list[float]]


def _neck(
    decoder: Decoder,
    kind: str,
    channels: list[int],
    found: list[float],
    width: int,
    host: PluginHost,
) -> Made:
    """What is between backbone and decoder, and the channels and strides that it gives."""
    if kind == "one_stride" and kind not in decoder.takes:
        pyramid = SimplePyramid(channels, width)
        return pyramid, [width] * 4, [found[0] / scale for scale in pyramid.scales]
    if kind not in decoder.takes:
        able = [f"`{name}`" for name, other in host.decoders.items() if kind in other.takes]
        raise ConfigError(
            f"decoder `{decoder.name}` reads maps of one size, and those of this backbone shrink"
            f" from stage to stage: take {' or '.join(able)}, which it can feed, or name"
            f" {decoder.levels} blocks of one stage in `task.levels`"
        )
    missing = decoder.levels - len(channels)
    if missing <= 0:
        return None, channels, found
    further = [found[-1] * 2**n for n in range(1, missing + 1)]
    return Coarser(missing), channels + missing * channels[-1:], found + further
