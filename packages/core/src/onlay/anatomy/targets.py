"""Frozen affine maps that can take up an adapter: y = x W^T + c.

A target reads and writes its own tensors; the arithmetic of folding is in `folding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class FoldTarget(Protocol):
    """A frozen map; `read` and `write` are inverse to one another."""

    diagonal: bool
    """True for a norm, whose weight is a scale (D,); False for a linear map, whose weight is (out,
    in)."""
    pooled: bool
    """Whether a maximum follows the map, which only scales that are not negative pass."""

    def read(self) -> tuple[Tensor, Tensor]:
        """Weight and shift as float32 (or wider) copies; a missing shift reads as zeros."""
        ...

    def write(self, weight: Tensor, shift: Tensor) -> None:
        """Store both, cast to the map's own dtype; makes a bias where there was none and it is not
        zero."""
        ...


class CalledTarget(FoldTarget, Protocol):
    """A map that one linear or convolution layer computes."""

    module: Any

    def calling(self) -> Sequence[tuple[object, str, object]]:
        """(owner, attribute, value) to set so that the network calls the layer, where by itself it
        reads the weight and calls nothing."""
        ...


@runtime_checkable
class Replaceable(Protocol):
    """A map of which the layers are known, so that a module can stand in for each."""

    def parts(self) -> Sequence[CalledTarget]:
        """The map itself, or the maps whose outputs it joins, in that order."""
        ...


def wide(tensor: Tensor) -> Tensor:
    """A detached copy in at least float32: merging happens there and is cast last."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32), copy=True)


class ModuleTarget:
    """`weight` and `bias` of a `Linear`, a convolution that embeds patches or points, or a norm."""

    def __init__(self, module: Any, *, diagonal: bool = False, pooled: bool = False) -> None:
        self.module, self.diagonal, self.pooled = module, diagonal, pooled

    def read(self) -> tuple[Tensor, Tensor]:
        weight = wide(self.module.weight)
        if not self.diagonal:
            weight = weight.flatten(1)
        if self.module.bias is None:
            return weight, weight.new_zeros(weight.shape[0])
        return weight, wide(self.module.bias)

    def write(self, weight: Tensor, shift: Tensor) -> None:
        own = self.module.weight
        own.data.copy_(weight.view_as(own))
        if self.module.bias is not None:
            self.module.bias.data.copy_(shift)
        elif shift.any():
            self.module.bias = nn.Parameter(shift.to(own.dtype), requires_grad=own.requires_grad)

    def parts(self) -> Sequence[CalledTarget]:
        return [] if self.diagonal else [self]

    def calling(self) -> Sequence[tuple[object, str, object]]:
        return ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModuleTarget) and self.module is other.module

    def __hash__(self) -> int:
        return hash(id(self.module))
