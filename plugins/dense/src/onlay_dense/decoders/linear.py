"""No decoder but the task's own layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from onlay_dense.decoders.config import LinearConfig


def build(config: LinearConfig, channels: Sequence[int], strides: Sequence[float]) -> LinearDecoder:
    """For maps of any stride."""
    return LinearDecoder(channels[-1])


class LinearDecoder(nn.Module):
    """(B, D, h, w), the last map, each place normed over its channels.

    A backbone's blocks put out what is not normed yet. Its own last norm is this one with a scale
    and a shift, which the layer behind it can learn: it is a probe of what the backbone puts out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        map_BhwD = maps[-1].movedim(1, -1)
        return F.layer_norm(map_BhwD, (self.width,), eps=1e-6).movedim(-1, 1)
