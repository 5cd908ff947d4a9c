"""Gradient checkpointing of a block that remembers which adapter acted on it, and on which input.

A backbone's own checkpointing repeats a block with whatever acts on it during the backward pass;
meanwhile another adapter may have had its turn, or another input its layout.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from onlay.anatomy.adapter import Adapter
from onlay.anatomy.ports import Override

if TYPE_CHECKING:
    from onlay.anatomy.attachments import Attachments


class Recomputed:
    """A block's call, hooks and all, of which only the inputs are kept for the backward pass."""

    def __init__(
        self, attachments: Attachments, name: str, adapter: Adapter, block: nn.Module
    ) -> None:
        self.attachments, self.name, self.adapter, self.block = attachments, name, adapter, block
        self.former = block._call_impl

    def install(self) -> Override:
        return Override(self.block, "_call_impl", self.call)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.former(*args, **kwargs)
        if not torch.compiler.is_compiling():  # a compiler repeats what it has traced
            kwargs |= {"context_fn": self.contexts}
        return checkpoint(self.former, *args, use_reentrant=False, **kwargs)

    def contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """For the forward pass, which has its turn already, and for the repetition."""
        return nullcontext(), _Again(self)


class _Again:
    def __init__(self, block: Recomputed) -> None:
        self.block, self.anatomy = block, block.adapter.anatomy
        self.seen = dict(vars(self.anatomy))  # where the tokens of this input lie, among others

    def __enter__(self) -> None:
        attachments, name, adapter = self.block.attachments, self.block.name, self.block.adapter
        self.turn = attachments.turn(name, adapter, again=True)
        self.turn.__enter__()
        self.now = dict(vars(self.anatomy))
        vars(self.anatomy).update(self.seen)

    def __exit__(self, *error: Any) -> None:
        vars(self.anatomy).update(self.now)
        self.turn.__exit__(*error)
