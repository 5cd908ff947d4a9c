"""Where the update of a frozen weight acts: beside the map, or in its place.

Shapes: D width of a block.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from onlay.anatomy import Affine, Block, FrozenMap, Placement
from onlay.anatomy.affine import affine_of
from onlay.errors import ConfigError

ENDS = {
    "q": ("attn.in", "qkv.out.q"),
    "k": ("attn.in", "qkv.out.k"),
    "v": ("attn.in", "qkv.out.v"),
    "qkv": ("attn.in", "qkv.out"),
    "fc1": ("mlp.in", "fc1.out"),
    "fc2": ("fc2.in", "mlp.out"),
}
"""What a map reads and what it writes, where both are sites."""


class Beside(nn.Module):
    """map(x) + update(x), in the place of a map whose input is no site."""

    def __init__(self, map: FrozenMap, update: nn.Module) -> None:
        super().__init__()
        self.twin, self.update = [map.twin()], update  # the twin is no child

    def forward(self, x: Tensor) -> Tensor:
        own = next(
            self.update.parameters()
        ).dtype  # wider than that of a backbone in half precision
        return self.twin[0](x) + self.update(x.to(own)).to(x.dtype)

    def affine(self) -> Affine:
        layer: Any = self.twin[0]
        change = affine_of(self.update).weight
        assert change is not None, "an update is a matrix"
        return Affine(layer.weight.detach().to(change.dtype) + change, layer.bias)


def update(place: Placement, block: Block, name: str, module: nn.Module) -> None:
    """The map computes what it did, plus module(x), where x is what it reads."""
    if name == "proj":
        (map,) = place.maps(block.site("attn.out"))
        place.replace(map, Beside(map, module))
    else:
        source, target = ENDS[name]
        place.branch(block.site(source), block.site(target), module)


def shape_of(block: Block, name: str) -> tuple[int, int]:
    """Inputs and outputs of a map."""
    if name == "proj":
        return keys_width(block), block.site("attn.out").width
    source, target = ENDS[name]
    return block.site(source).width, block.site(target).width


def refuse_above(setting: str, rank: int, least: int, what: str) -> None:
    """Raise a `ConfigError` for a rank that no update can have."""
    if rank > least:
        raise ConfigError(
            f"`method.{setting}` makes {rank} directions, and {what} has at most {least}: take less"
        )


def keys_width(block: Block) -> int:
    """The width of all heads together."""
    return block.site("qkv.out").width // 3


def matrix_of(change: Any, inputs: int, like: Tensor) -> Tensor:
    """The matrix (out, in) of a linear function of (..., in)."""
    return change(torch.eye(inputs, dtype=like.dtype, device=like.device)).T
