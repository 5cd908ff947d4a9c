"""Norm tuning, and which modules of a network are norms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.weights import NormTuningConfig


def is_norm(module: nn.Module) -> bool:
    """Layer, group, batch and root-mean-square norms of torch, timm and others, by their names."""
    return "norm" in type(module).__name__.lower() and "weight" in module._parameters


def own_norms(module: nn.Module) -> Iterator[nn.Module]:
    """The norms that a block has beside its attention and its MLP."""
    return (child for child in module.children() if is_norm(child))


def attach(place: Placement, config: NormTuningConfig) -> None:
    """Weight and bias of each norm of the trunk."""
    for parameter in in_trunk(place.anatomy):
        place.thaw(parameter)


def in_trunk(anatomy: Anatomy) -> list[nn.Parameter]:
    """What trains, each parameter once."""
    trunk, found = anatomy.trunk(), {}
    for path, module in anatomy.model.named_modules():
        for name, parameter in module._parameters.items() if is_norm(module) else ():
            if parameter is not None and f"{path}.{name}" in trunk:
                found[id(parameter)] = parameter
    return list(found.values())


def size_of(norm: nn.Module) -> int:
    return sum(p.numel() for p in norm.parameters(recurse=False))


def count(config: NormTuningConfig, anatomy: Anatomy) -> int:
    """Copies of the backbone's own: 4 D a block of a plain transformer, and 2 D."""
    return sum(p.numel() for p in in_trunk(anatomy))
