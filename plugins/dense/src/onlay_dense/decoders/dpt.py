"""DPT on the maps of a plain transformer."""

from __future__ import annotations

from collections.abc import Sequence

from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder
from torch import Tensor, nn

from onlay_dense.decoders.borrowed import padded, regrouped
from onlay_dense.decoders.config import DptConfig


def build(config: DptConfig, channels: Sequence[int], strides: Sequence[float]) -> DptDecoder:
    """For four maps of one size."""
    return DptDecoder(channels, config.channels, config.width)


class DptDecoder(nn.Module):
    """(B, D, 8 h, 8 w) of maps (B, C, h, w)."""

    def __init__(self, channels: Sequence[int], inner: Sequence[int], width: int) -> None:
        super().__init__()
        self.width = width
        self.decoder = DPTDecoder(
            encoder_out_channels=channels,
            encoder_output_strides=[16] * len(channels),  # other patches: the same map of places
            encoder_has_prefix_tokens=False,
            readout="ignore",
            intermediate_channels=inner,
            fusion_channels=width,
        )
        regrouped(self.decoder)  # it keeps torch's start: the library's is for a norm behind it

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        h, w = maps[0].shape[-2:]
        even = [padded(x, h + h % 2, w + w % 2) for x in maps]
        return self.decoder(even, [None] * len(even))[..., : 8 * h, : 8 * w]
