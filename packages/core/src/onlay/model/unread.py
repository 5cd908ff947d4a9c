"""Copies of tensors that a head never looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from onlay.anatomy.liveness import leaves, same_draws
from onlay.batches import tensors_of

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def rest_unread(model: AdaptedModel) -> None:
    """Let copies that stand in for tensors stop training where nothing leads from them to the
    output of a head that reads `levels`: the last norm, where it reads maps of blocks alone."""
    copies = list(model.adapter.thawed.parameters())
    if not copies or not getattr(model.head, "levels", ()):
        return
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.enable_grad(), same_draws():
            reached = leaves(tensors_of(model(model.anatomy.example())))
    finally:
        model.adapter.forget()
        for module, mode in modes.items():
            module.training = mode
    for copy in copies:
        copy.requires_grad_(id(copy) in reached)
