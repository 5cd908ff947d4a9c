"""A network of one's own, in plain torch: a small transformer over recordings.

Shapes: B batch, C channels, T samples, N pieces of time, S tokens, D width, H heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

PIECE = 8
"""Samples of a token."""


class Attention(nn.Module):
    """Tokens (B, S, D) look at one another; one layer for q, k and v."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, S, D = x.shape
        split = self.qkv(x).view(B, S, 3, self.heads, D // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed_BHSd = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed_BHSd.transpose(1, 2).reshape(B, S, D))


class Mlp(nn.Module):
    """Each token by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside the residual stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Mlp(width)
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.end(self.mlp(self.norm2(x)))


class Pieces(nn.Module):
    """Recordings (B, C, T) to tokens (B, N, D), one for every eight samples."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv1d(channels, width, PIECE, PIECE)

    def forward(self, recordings_BCT: Tensor) -> Tensor:
        return self.proj(recordings_BCT).transpose(1, 2)


class Places(nn.Module):
    """Tokens (B, N, D) learn where they are."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(1, count, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


class RecordingNet(nn.Module):
    """Recordings (B, C, T) to tokens (B, N, D)."""

    def __init__(self, *, channels: int, length: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.channels, self.length = channels, length
        self.pieces, self.places = Pieces(channels, width), Places(length // PIECE, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, recordings_BCT: Tensor) -> Tensor:
        x = self.places(self.pieces(recordings_BCT))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)
