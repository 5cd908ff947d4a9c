"""A backbone's blocks written out by hand."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def attention(block, z):
    B, T, D = z.shape
    q, k, v = block.attn.qkv(z).chunk(3, dim=-1)
    heads = [x.view(B, T, 2, D // 2).transpose(1, 2) for x in (q, k, v)]
    mixed = (heads[0] @ heads[1].transpose(-1, -2) / (D // 2) ** 0.5).softmax(-1) @ heads[2]
    return block.attn.proj(mixed.transpose(1, 2).reshape(B, T, D))


def embed(model, images):
    x = model.embed(images).flatten(2).transpose(1, 2)
    return torch.cat([model.cls_token.expand(len(x), -1, -1), x], dim=1)


def plain(model, images, at=lambda name, index, x: x):
    """The tiny backbone by hand; `at(site, block, x)` may change the tensor at a site."""
    x = embed(model, images)
    for i, block in enumerate(model.blocks):
        x = at("block.in", i, x)
        z = at("attn.in", i, block.norm1(x))
        x = at("mlp.res", i, x + at("attn.out", i, attention(block, z)))
        hidden = at("fc1.out", i, block.mlp.fc1(at("mlp.in", i, block.norm2(x))))
        hidden = at("fc2.in", i, F.gelu(hidden))
        x = at("block.out", i, x + at("mlp.out", i, block.mlp.fc2(hidden)))
    return model.norm(x)
