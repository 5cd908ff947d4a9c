"""Frozen affine maps that can take up an adapter: y = x W^T + c.

A target reads and writes its own tensors; the arithmetic of folding is in `folding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from onlay.errors import CannotFold

_PLAIN_CALLS = {kind.forward for kind in (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)}


class FoldTarget(Protocol):
    """A frozen map; `read` and `write` are inverse to one another."""

    diagonal: bool
    """True for a norm, whose weight is a scale (D,); False for a linear map, whose weight is (out,
    in)."""
    pooled: bool
    """Whether a maximum follows the map, which only scales that are not negative pass."""

    def read(self) -> tuple[Tensor, Tensor]:
        """Weight and shift as float32 (or wider) copies; a missing shift reads as zeros.

        Raises:
            CannotFold: they are not all that the map computes with; see `refuse_computed`.
        """
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


class ComputedLayer(CannotFold):
    """A layer computes with more than a weight and a bias of its own."""

    def __init__(self, layer: nn.Module, why: str) -> None:
        self.layer, self.why = layer, why
        super().__init__(self.told("a layer"))

    def told(self, where: str) -> str:
        """The sentence, with what the layer is called."""
        return (
            f"{where} (`{type(self.layer).__name__}`) {self.why}; give the backbone a plain layer"
            " there before it is adapted (pruning, norms of weights and peft's layers can be taken"
            " up into the weight)"
        )


def refuse_computed(layer: nn.Module) -> None:
    """For a layer that anatomies know by its weight: what is written there must be what it
    computes with.

    Raises:
        ComputedLayer: its weight or bias is no parameter, but made of other tensors anew at each
            call or lent by a layer inside; or it does more than its kind.
    """
    refuse_made_anew(layer)
    kind = isinstance(layer, nn.Linear | _ConvNd)
    if "forward" in vars(layer) or (kind and type(layer).forward not in _PLAIN_CALLS):
        raise ComputedLayer(layer, "has a `forward` of its own, which may do more than its kind")


def refuse_made_anew(layer: nn.Module) -> None:
    """The first half of `refuse_computed`, for what calls the layer itself.

    Raises:
        ComputedLayer: its weight or bias is no parameter of its own.
    """
    for name in ("weight", "bias"):
        if name not in layer._parameters and getattr(layer, name, None) is not None:
            raise ComputedLayer(layer, f"has a `{name}` that is not all it computes with")


class ModuleTarget:
    """`weight` and `bias` of a `Linear`, a convolution that embeds patches or points, or a norm."""

    def __init__(self, module: Any, *, diagonal: bool = False, pooled: bool = False) -> None:
        self.module, self.diagonal, self.pooled = module, diagonal, pooled

    def read(self) -> tuple[Tensor, Tensor]:
        refuse_computed(self.module)
        weight, shift = self.tensors()
        return weight, weight.new_zeros(weight.shape[0]) if shift is None else shift

    def tensors(self) -> tuple[Tensor, Tensor | None]:
        """What `read` gives, also of a layer that shares its tensors with another."""
        weight = wide(self.module.weight)
        if not self.diagonal:
            weight = weight.flatten(1)
        return weight, None if self.module.bias is None else wide(self.module.bias)

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
