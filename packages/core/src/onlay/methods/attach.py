"""What the built-in methods place in a backbone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from onlay.anatomy import Placement
from onlay.methods.random_start import begin_anew

if TYPE_CHECKING:
    from onlay.methods.config import BitFitConfig, FullConfig, LinearConfig


def full(place: Placement, config: FullConfig) -> None:
    """A trainable copy stands in for every tensor of the trunk; costs a second set of weights in
    memory. Statistics of batch norms move, too."""
    place.thaw_statistics()
    for parameter in _trunk_parameters(place):
        place.thaw(parameter)
    if config.start == "random":
        begin_anew(place)


def linear(place: Placement, config: LinearConfig) -> None:
    """Nothing: the head alone trains (linear probe)."""


def bitfit(place: Placement, config: BitFitConfig) -> None:
    """Every bias of the trunk trains (BitFit, arXiv 2106.10199)."""
    model = place.anatomy.model
    biases = {id(p) for name, p in model.named_parameters() if name.endswith("bias")}
    for parameter in _trunk_parameters(place):
        if id(parameter) in biases:
            place.thaw(parameter)


def _trunk_parameters(place: Placement) -> Iterator[nn.Parameter]:
    trunk = place.anatomy.trunk()
    for name, parameter in place.anatomy.model.named_parameters():
        if name in trunk:
            yield parameter
