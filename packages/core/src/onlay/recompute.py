"""Gradient checkpointing runs a block's forward pass once more, inside the backward pass."""

from __future__ import annotations

import torch


def recomputing() -> bool:
    """Whether the forward pass that asks is such a repetition.

    A module computes the same in both, else torch finds other tensors than it looks for. But it
    must not keep the auxiliary loss of the repetition, which would hold the recomputed activations
    of the whole block until the next step, nor count anything a second time.
    """
    if torch.compiler.is_dynamo_compiling():  # a compiler traces a block once
        return False
    return torch._C._current_graph_task_id() != -1  # what torch.utils.checkpoint asks, too
