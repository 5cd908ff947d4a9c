"""The transformer block of Point-MAE and its relatives, and the stack of them.

Shapes: B batch, T tokens, D width, H heads.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

Position = Literal["every_block", "once"]


class Attention(nn.Module):
    """Self-attention; queries, keys and values have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        q, k, v = _heads(self.qkv(x_BTD), 3, self.num_heads)
        mixed_BHTd = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed_BHTd.transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, asking_BTD: Tensor, asked_BTD: Tensor) -> Tensor:
        (q,) = _heads(self.q(asking_BTD), 1, self.num_heads)
        k, v = _heads(self.kv(asked_BTD), 2, self.num_heads)
        mixed_BHTd = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed_BHTd.transpose(1, 2).flatten(2))


def _heads(x_BTC: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """`parts` tensors (B, H, T, D / H)."""
    return x_BTC.unflatten(2, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class Mlp(nn.Module):
    """Two layers with an exact GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class DropPath(nn.Module):
    """Stochastic depth: whole samples of a residual branch are dropped (Huang et al. 2016)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x_BTD: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x_BTD
        kept_B11 = x_BTD.new_empty(x_BTD.shape[0], 1, 1).bernoulli_(1 - self.rate)
        return x_BTD * kept_B11 / (1 - self.rate)


class Block(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Mlp(width)
        self.drop_path1, self.drop_path2 = DropPath(drop_path), DropPath(drop_path)

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.drop_path1(self.attn(self.norm1(x_BTD)))
        return x_BTD + self.drop_path2(self.mlp(self.norm2(x_BTD)))


class ReConBlock(Block):
    """ReCon's layer (Qi et al. 2023): three global tokens read the patches through cross-attention.

    The residual of either branch starts from the *normalised* tensor, as in the authors' code.
    """

    def __init__(self, width: int, heads: int, drop_path: float) -> None:
        super().__init__(width, heads, drop_path)
        self.norm1_contrast, self.norm2_contrast = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn_contrast, self.mlp_contrast = CrossAttention(width, heads), Mlp(width)
        self.drop_path1_contrast, self.drop_path2_contrast = (
            DropPath(drop_path),
            DropPath(drop_path),
        )

    def forward(self, x_BTD: Tensor) -> Tensor:
        q_B3D, v_BTD = self.norm1_contrast(x_BTD[:, :3]), self.norm1(x_BTD[:, 3:])
        q_B3D = q_B3D + self.drop_path1_contrast(self.attn_contrast(q_B3D, v_BTD))
        v_BTD = v_BTD + self.drop_path1(self.attn(v_BTD))
        q_B3D, v_BTD = self.norm2_contrast(q_B3D), self.norm2(v_BTD)
        q_B3D = q_B3D + self.drop_path2_contrast(self.mlp_contrast(q_B3D))
        v_BTD = v_BTD + self.drop_path2(self.mlp(v_BTD))
        return torch.cat([q_B3D, v_BTD], dim=1)


class Blocks(nn.Module):
    """The stack. Positions are added before every block, or once; inserted tokens get none."""

    def __init__(
        self,
        kind: type[Block],
        *,
        width: int,
        depth: int,
        heads: int,
        prefix: int,
        drop_path: float,
        position: Position,
    ) -> None:
        super().__init__()
        rates = torch.linspace(0, drop_path, depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(kind(width, heads, rate) for rate in rates)
        self.prefix, self.position = prefix, position
        self.grad_checkpointing = False

    def forward(self, x_BTD: Tensor, pos_BTD: Tensor) -> Tensor:
        for index, block in enumerate(self.blocks):
            if index == 0 or self.position == "every_block":
                x_BTD = x_BTD + self._widened(pos_BTD, x_BTD.shape[1])
            if self.grad_checkpointing and torch.is_grad_enabled():
                x_BTD = checkpoint(block, x_BTD, use_reentrant=False)
            else:
                x_BTD = block(x_BTD)
        return x_BTD

    def _widened(self, pos_BTD: Tensor, tokens: int) -> Tensor:
        """Zeros where tokens were inserted, right after the pretrained prefix."""
        inserted = tokens - pos_BTD.shape[1]
        if not inserted:
            return pos_BTD
        return torch.cat(
            [
                pos_BTD[:, : self.prefix],
                pos_BTD.new_zeros(pos_BTD.shape[0], inserted, pos_BTD.shape[2]),
                pos_BTD[:, self.prefix :],
            ],
            dim=1,
        )
