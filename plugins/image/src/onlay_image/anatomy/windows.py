"""Reaching a Swin block's windows as one map.

Shapes: B batch, H and W the map, C channels; P the map padded to whole windows, rolled where
    windows are shifted.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.models.swin_transformer import window_partition, window_reverse
from torch import Tensor, nn

from onlay.anatomy import Override, Undo
from onlay.anatomy.ports import Pipe, Port
from onlay_image.timm_types import TimmModule


class AttentionInput:
    """The map that a block hands to its windowed attention, where no module writes it (Swin V2)."""

    def __init__(self, block: TimmModule) -> None:
        self.block = block

    def install(self, pipe: Pipe) -> list[Undo]:
        return [Override(self.block, "_attn", _Piped(self.block._attn, pipe).call)]


class _Piped:
    def __init__(self, attend: Pipe, pipe: Pipe) -> None:
        self.attend, self.pipe = attend, pipe

    def call(self, x_BHWC: Tensor) -> Tensor:
        return self.attend(self.pipe(x_BHWC))


class OnMap:
    """What lies at `port` in windows (windows, tokens, C), shown to the pipe as the map (B, H, W,
    C).
    """

    def __init__(self, block: TimmModule, port: Port) -> None:
        self.block, self.port = block, port

    def install(self, pipe: Pipe) -> list[Undo]:
        windows = _Windows(self.block, pipe)
        handle = self.block.register_forward_pre_hook(windows.remember)
        return [handle, *self.port.install(windows.through)]


class _Windows:
    def __init__(self, block: TimmModule, pipe: Pipe) -> None:
        self.block, self.pipe = block, pipe
        self.size = (0, 0)

    def remember(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.size = args[0].shape[1:3]

    def through(self, windows: Tensor) -> Tensor:
        padded_BPC = self._joined(windows)
        map_BHWC = self._cropped(padded_BPC)
        piped = self.pipe(map_BHWC)
        return windows if piped is map_BHWC else self._windows(piped, padded_BPC).view_as(windows)

    def _joined(self, windows: Tensor) -> Tensor:
        size = self.block.window_size
        height, width = (-(-s // w) * w for s, w in zip(self.size, size, strict=True))
        by_window = windows.unflatten(1, size)
        return window_reverse(by_window, size, height, width)

    def _cropped(self, padded_BPC: Tensor) -> Tensor:
        height, width = self.size
        return torch.roll(padded_BPC[:, :height, :width], self.block.shift_size, dims=(1, 2))

    def _windows(self, map_BHWC: Tensor, padded_BPC: Tensor) -> Tensor:
        height, width = self.size
        back = tuple(-shift for shift in self.block.shift_size)
        x = torch.roll(map_BHWC, back, dims=(1, 2))
        x = torch.cat([x, padded_BPC[:, :height, width:].to(x.dtype)], dim=2)
        x = torch.cat([x, padded_BPC[:, height:].to(x.dtype)], dim=1)
        return window_partition(x, self.block.window_size)
