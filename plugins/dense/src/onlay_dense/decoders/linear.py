"""No decoder but the task's own layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from onlay_dense.decoders.config import LinearConfig


def build(config: LinearConfig, channels: Sequence[int], strides: Sequence[int]) -> LinearDecoder:
    """For maps of any stride."""
    return LinearDecoder(channels[-1])


class LinearDecoder(nn.Module):
    """(B, D, h, w), the last map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return maps[-1]
