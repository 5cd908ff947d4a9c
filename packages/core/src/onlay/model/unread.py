"""Trained tensors that a head never looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from onlay.anatomy.liveness import leaves, same_draws
from onlay.batches import tensors_of

if TYPE_CHECKING:
    from onlay.anatomy.adapter import Adapter
    from onlay.model.adapted import AdaptedModel


def rest_unread(model: AdaptedModel) -> None:
    """Let copies that stand in for tensors, and what rewrites the output of the last norm, stop
    training where nothing leads from them to the output of a head that reads `levels`: below maps
    of blocks alone that norm is never read."""
    trained = [*model.adapter.thawed.parameters(), *_behind_the_blocks(model.adapter)]
    if not trained or not getattr(model.head, "levels", ()):
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
    for tensor in trained:
        tensor.requires_grad_(id(tensor) in reached)


def _behind_the_blocks(adapter: Adapter) -> list[nn.Parameter]:
    """What is trained of rewrites of the last norm's output."""
    pipe = adapter.pipes.get("norm.out")
    return [p for p in pipe.rewrites.parameters() if p.requires_grad] if pipe else []
