"""The network itself, in plain torch: a causal transformer over ids, as SASRec is one.

Shapes: B batch, T ids, S tokens (inserted ones first, then those of the ids), D width, H heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from onlay.errors import DataError
from onlay_example_sequence.words import FIRST, PADDING


class Attention(nn.Module):
    """Causal self-attention with one layer for q, k and v; padding is seen by itself alone."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BSD: Tensor, padded_BT: Tensor) -> Tensor:
        B, S, D = x_BSD.shape
        split = self.qkv(x_BSD).view(B, S, 3, self.heads, D // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        mask_B1SS = seen(padded_BT, S).unsqueeze(1)
        mixed_BHSd = functional.scaled_dot_product_attention(q, k, v, mask_B1SS)
        return self.proj(mixed_BHSd.transpose(1, 2).reshape(B, S, D))


def seen(padded_BT: Tensor, tokens: int) -> Tensor:
    """Whether a token (row) sees another one (column), (B, S, S).

    >>> seen(torch.tensor([[True, False]]), 3).int()
    tensor([[[1, 0, 0],
             [1, 1, 0],
             [1, 0, 1]]], dtype=torch.int32)
    """
    front = tokens - padded_BT.shape[1]
    known_BS = functional.pad(~padded_BT, (front, 0), value=True)
    square = torch.ones(tokens, tokens, dtype=torch.bool, device=padded_BT.device)
    itself = torch.eye(tokens, dtype=torch.bool, device=padded_BT.device)
    return (square.tril() & known_BS.unsqueeze(1)) | itself


class Mlp(nn.Module):
    """Four times wider inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and MLP on tokens (B, S, D), each behind a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Mlp(width)
        self.end = nn.Identity()

    def forward(self, x: Tensor, padded_BT: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), padded_BT)
        return x + self.end(self.mlp(self.norm2(x)))


class Embedding(nn.Module):
    """Ids (B, T) to tokens (B, T, D), at positions counted from the end."""

    def __init__(self, items: int, length: int, width: int) -> None:
        super().__init__()
        self.items = nn.Embedding(FIRST + items, width)
        self.positions = nn.Embedding(length, width)

    def forward(self, ids_BT: Tensor) -> Tensor:
        length, most = ids_BT.shape[1], self.positions.num_embeddings
        if length > most:
            raise DataError(f"the inputs have {length} ids, and the network reads up to {most}")
        places = torch.arange(length - 1, -1, -1, device=ids_BT.device)
        return self.items(ids_BT) + self.positions(places)


class SmallSequence(nn.Module):
    """Ids (B, T) to tokens (B, T, D); the last one, of the end of the history, tells what is
    next."""

    def __init__(self, *, items: int, length: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.length, self.vocabulary = length, FIRST + items
        self.embed = Embedding(items, length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.grad_checkpointing = False

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.grad_checkpointing = enable

    def forward(self, ids_BT: Tensor) -> Tensor:
        padded_BT, x = ids_BT == PADDING, self.embed(ids_BT)
        for block in self.blocks:
            if self.grad_checkpointing:
                x = checkpoint(block, x, padded_BT, use_reentrant=False)
            else:
                x = block(x, padded_BT)
        return self.norm(x)
