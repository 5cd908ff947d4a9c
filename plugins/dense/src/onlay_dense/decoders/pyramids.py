"""Decoders that read a pyramid: maps of which each has half the size of the one before."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import Tensor, nn

from onlay_dense.decoders.borrowed import halving, ready
from onlay_dense.decoders.config import FpnConfig, SegformerConfig, UperNetConfig


def build_upernet(
    config: UperNetConfig, channels: Sequence[int], strides: Sequence[float]
) -> PyramidDecoder:
    """For any number of maps."""
    depth = len(channels) + 1
    decoder = UPerNetDecoder(_behind_the_picture(channels), depth, decoder_channels=config.width)
    return PyramidDecoder(decoder, config.width)


def build_fpn(
    config: FpnConfig, channels: Sequence[int], strides: Sequence[float]
) -> PyramidDecoder:
    """For four maps."""
    decoder = FPNDecoder(
        _behind_the_picture(channels),
        pyramid_channels=config.width,
        segmentation_channels=config.width,
        dropout=config.dropout,
    )
    return PyramidDecoder(decoder, config.width)


def build_segformer(
    config: SegformerConfig, channels: Sequence[int], strides: Sequence[float]
) -> PyramidDecoder:
    """For any number of maps."""
    depth = len(channels) + 1
    decoder = SegformerDecoder(_behind_the_picture(channels), depth, config.width)
    return PyramidDecoder(decoder, config.width)


def _behind_the_picture(channels: Sequence[int]) -> list[int]:
    """As the library counts: the picture, nothing at half its size, the maps."""
    return [3, 0, *channels]


class PyramidDecoder(nn.Module):
    """(B, D, h, w), the size of the finest map."""

    def __init__(self, decoder: nn.Module, width: int) -> None:
        super().__init__()
        self.width, self.decoder = width, decoder
        ready(decoder)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        even = halving(maps)
        h, w = even[0].shape[-2:]
        picture = even[0].new_empty(1, 0, 4 * h, 4 * w)  # read for its size alone
        found = self.decoder([picture, picture, *even])
        return found[..., : maps[0].shape[-2], : maps[0].shape[-1]]
