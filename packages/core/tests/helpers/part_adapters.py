"""Adapters that act on parts of a site."""

from __future__ import annotations

import torch
from torch import nn

from onlay.anatomy import Affine

Q, K, V = slice(0, 16), slice(16, 32), slice(32, 48)


class Scale(nn.Module):
    """x * (0.5 ... 1.5): IA3 away from its start."""

    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, width))

    def forward(self, x):
        return x * self.scale

    def affine(self):
        return Affine(self.scale)


def rewritten(block, *parts):
    """How IA3 scales these parts of a network, by hand."""
    with torch.no_grad():
        for part in parts:
            block.attn.qkv.weight[part] *= Scale(16).scale[:, None]
            if block.attn.qkv.bias is not None:
                block.attn.qkv.bias[part] *= Scale(16).scale
