"""Whether a backbone's maps are what a decoder reads, and what is put between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from onlay.errors import ConfigError
from onlay_dense.levels import kind_of
from onlay_dense.neck import Coarser, SimplePyramid

if TYPE_CHECKING:
    from onlay.descriptors import Decoder
    from onlay.host import PluginHost
    from onlay.settings import Config

WIDTH = 64
"""Channels of the pyramid that is made of a plain transformer's maps, for a decoder whose settings
have no `width`."""

Fed = tuple[nn.Module | None, list[int], list[float]]


def neck_for(config: Config, channels: list[int], strides: list[float], host: PluginHost) -> Fed:
    """What is between the maps and the decoder, if anything, and the channels and strides that the
    decoder is given.

    Raises:
        ConfigError: maps of several sizes for a decoder that reads one.
    """
    decoder, kind = host.find("decoder", config.name), kind_of(strides)
    if kind not in decoder.takes and kind != "one_stride":
        raise _unfed(decoder, kind, host)
    if kind not in decoder.takes:
        width = getattr(config, "width", WIDTH)
        pyramid = SimplePyramid(channels, width)
        return pyramid, [width] * 4, [strides[0] / scale for scale in pyramid.scales]
    missing = decoder.levels - len(channels)
    if missing <= 0:
        return None, channels, strides
    further = [strides[-1] * 2**n for n in range(1, missing + 1)]
    return Coarser(missing), channels + missing * channels[-1:], strides + further


def _unfed(decoder: Decoder, kind: str, host: PluginHost) -> ConfigError:
    able = [f"`{name}`" for name, other in host.decoders.items() if kind in other.takes]
    return ConfigError(
        f"decoder `{decoder.name}` reads maps of one size, and those of this backbone shrink from"
        f" stage to stage: take {' or '.join(able)}, which it can feed, or name {decoder.levels}"
        " blocks of one stage in `task.levels`"
    )
