"""The network itself, in plain torch: it knows nothing of adapters. Put your own here.

Shapes: B batch, N patches, T tokens (the class token and patches), D width, H heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class Attention(nn.Module):
    """Self-attention with one layer for q, k and v."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        split = self.qkv(x).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed_BHTd = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed_BHTd.transpose(1, 2).reshape(B, T, D))


class Mlp(nn.Module):
    """Four times wider inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and MLP on tokens (B, T, D), each behind a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Mlp(width)
        self.end = nn.Identity()  # stochastic depth has its place here; see `mlp.res`

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.end(self.mlp(self.norm2(x)))


class Patches(nn.Module):
    """Images (B, 3, h, w) to patches (B, N, D), row by row."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, size, size)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class Tokens(nn.Module):
    """Patches (B, N, D) at their positions, behind the class token: (B, 1 + N, D)."""

    def __init__(self, patches: int, width: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(1, patches, width))
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))

    def forward(self, patches_BND: Tensor) -> Tensor:
        cls_B1D = self.cls_token.expand(len(patches_BND), -1, -1)
        return torch.cat([cls_B1D, patches_BND + self.positions], dim=1)


class SmallVit(nn.Module):
    """Images (B, 3, img_size, img_size) to tokens (B, 1 + N, D), the class token first."""

    def __init__(
        self, *, img_size: int, patch: int, width: int, depth: int, heads: int
    ) -> None:
        super().__init__()
        self.img_size, self.side = img_size, img_size // patch
        self.patches = Patches(patch, width)
        self.tokens = Tokens(self.side**2, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.grad_checkpointing = False

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """As on timm's models; with an adapter on it, call that of the adapted model."""
        self.grad_checkpointing = enable

    def forward(self, images: Tensor) -> Tensor:
        x = self.tokens(self.patches(images))
        for block in self.blocks:
            if self.grad_checkpointing:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.norm(x)
