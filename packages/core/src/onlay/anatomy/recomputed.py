"""Gradient checkpointing of a block that remembers which adapter acted on it, and on which input.

A backbone's own checkpointing repeats a block with whatever acts on it during the backward pass;
meanwhile another adapter may have had its turn, or another input its layout.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from onlay.anatomy.adapter import BATCH_NORMS, Adapter
from onlay.anatomy.order import block_of
from onlay.anatomy.parts import Block
from onlay.anatomy.ports import Override

if TYPE_CHECKING:
    from onlay.anatomy.attachments import Attachments


ONE_GRAPH = "skip_fwd_side_effects_in_bwd_under_checkpoint"
NO_GRAPH = (
    "what is handed on inside a block that is recomputed takes a break of the graph: leave out"
    " `fullgraph=True` or `set_grad_checkpointing()`, or set"
    f" `torch._dynamo.config.{ONE_GRAPH} = True`"
)
SAYS_WHY = torch.__version__ >= "2.8"  # compared as versions are


class Recomputed:
    """A block's call, hooks and all, of which only the inputs are kept for the backward pass.

    What earlier blocks hand to this one are inputs, too, and what it hands to later ones are
    outputs.
    """

    def __init__(self, attachments: Attachments, name: str, adapter: Adapter, block: Block) -> None:
        self.attachments, self.name, self.adapter = attachments, name, adapter
        self.block = block.module
        self.former = block.module._call_impl
        ends = [(tap, block_of(tap.source), block_of(tap.target)) for tap in adapter.taps]
        crossing = [(tap, source, target) for tap, source, target in ends if source != target]
        self.entering = [tap for tap, _, target in crossing if target == block.index]
        self.leaving = [tap for tap, source, _ in crossing if source == block.index]
        self.handed_on = any(block.index in (source, target) for _, source, target in ends)

    @cached_property
    def norms(self) -> list[nn.Module]:
        """Batch norms that may be met; one may be the block's and the adapter's."""
        both = dict.fromkeys((*self.block.modules(), *self.adapter.modules()))
        return [module for module in both if isinstance(module, BATCH_NORMS)]

    def install(self) -> Override:
        return Override(self.block, "_call_impl", self.call)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.former(*args, **kwargs)
        if not torch.compiler.is_dynamo_compiling():  # a compiler repeats what it has traced
            kwargs |= {"context_fn": self.contexts}
        elif self.handed_on:
            _leave_the_graph()
        given = [tap.let_go() for tap in self.entering]
        output, *handed = checkpoint(self.inside, *given, *args, use_reentrant=False, **kwargs)
        for tap, value in zip(self.leaving, handed, strict=True):
            tap.value = value
        return output

    def inside(self, *given: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The block's own output, and what it hands to later blocks."""
        wired = len(self.entering)
        for tap, value in zip(self.entering, given[:wired], strict=True):
            tap.value = value
        output = self.former(*given[wired:], **kwargs)
        return output, *(tap.let_go() for tap in self.leaving)

    def contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """For the forward pass, which has its turn already, and for the repetition."""
        return nullcontext(), _Again(self)


def _leave_the_graph() -> None:
    """torch puts no block that keeps tensors for later places into a graph and its repetition,
    unless it is told that keeping need not be repeated: it breaks the graph, or refuses to."""
    dynamo: Any = torch._dynamo
    if SAYS_WHY and not getattr(dynamo.config, ONE_GRAPH, False):
        dynamo.graph_break(msg=NO_GRAPH)


class _Again:
    def __init__(self, block: Recomputed) -> None:
        self.block, self.anatomy = block, block.adapter.anatomy
        self.seen = dict(vars(self.anatomy))  # where the tokens of this input lie, among others

    def __enter__(self) -> None:
        attachments, name, adapter = self.block.attachments, self.block.name, self.block.adapter
        self.turn = attachments.turn(name, adapter, again=True)
        self.turn.__enter__()
        self.now = dict(vars(self.anatomy))
        self.held = [tap.let_go() for tap in adapter.taps]
        vars(self.anatomy).update(self.seen)
        self.norms = [_Still(norm) for norm in self.block.norms if norm.training]

    def __exit__(self, *error: Any) -> None:
        for norm in self.norms:
            norm.go_on()
        vars(self.anatomy).update(self.now)
        for tap, value in zip(self.block.adapter.taps, self.held, strict=True):
            tap.value = value  # not what the repetition holds, which may break off half-way
        self.turn.__exit__(*error)


class _Still:
    """A batch norm whose statistics the first pass has moved already: it normalises alike and moves
    nothing, whether the repetition reaches it or breaks off before."""

    def __init__(self, norm: Any) -> None:
        self.norm, self.momentum, self.counter = norm, norm.momentum, norm.num_batches_tracked
        self.count = None if self.counter is None else self.counter.clone()
        norm.momentum = 0.0  # None would go by the counter

    def go_on(self) -> None:
        self.norm.momentum = self.momentum
        if self.counter is not None:
            self.counter.copy_(self.count)
