"""Weights of a network drawn anew, as its own layers draw them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from onlay.errors import AnatomyError

if TYPE_CHECKING:
    from onlay.anatomy import Placement


def begin_anew(place: Placement) -> None:
    """Thawed copies take values that torch's generator draws; the backbone stays as it is.

    Raises:
        AnatomyError: a tensor of which nothing says how it is drawn.
    """
    model = place.anatomy.model
    fresh = drawn(model).state_dict()
    for swap in place.adapter.swaps:
        swap.copy.data.copy_(fresh[swap.path])


def drawn(model: nn.Module) -> nn.Module:
    """A copy with other weights, by the layers' `reset_parameters` and then the network's own
    `init_weights`, where it has one."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)  # what stays so was drawn by nobody
        for module in model.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
        if callable(own := getattr(model, "init_weights", None)):
            own()
    left = [name for name, p in model.named_parameters() if p.isnan().any()]
    if left:
        raise AnatomyError(
            f"method `full` cannot start at random weights: nothing in the network says how"
            f" `{left[0]}` is drawn"
        )
    return model
