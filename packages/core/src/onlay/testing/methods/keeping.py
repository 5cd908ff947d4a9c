"""What is left of a pass when it is over."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from onlay.model.adapted import AdaptedModel
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.states import listed, step

SIZES = (4, 4, 6)
"""Inputs of one pass after another."""


def check_nothing_is_kept_after_a_pass(case: MethodCase) -> None:
    """After a step and after an evaluation no module holds activations or the graph of its pass:
    what stays, such as tallies, grows neither with the passes nor with the batch."""
    for one_pass, what in ((_one_step, "steps"), (_one_evaluation, "evaluations")):
        model = case.moved()
        with Made() as made:
            kept = [made.alive_after(partial(one_pass, case, model, size)) for size in SIZES]
        own = listed([*_held(model)])
        told = ", ".join(f"{size:,}" for size in kept)
        require(
            kept[0] >= kept[1] >= kept[2],
            f"after {what} on 4, 4 and 6 inputs {told} bytes are alive{own and f', in {own}'}",
        )
        graphs = [name for name, tensor in _held(model).items() if tensor.grad_fn is not None]
        require(not graphs, f"{listed(graphs)} holds the graph of its pass after {what}")


def _one_step(case: MethodCase, model: AdaptedModel, size: int) -> None:
    step(model, case.batch(model, size))
    _forget_inputs(model)


@torch.no_grad()
def _one_evaluation(case: MethodCase, model: AdaptedModel, size: int) -> None:
    model.eval()(case.batch(model, size)[0])
    _forget_inputs(model)


@torch.no_grad()
def _forget_inputs(model: AdaptedModel) -> None:
    """A backbone may know where the tokens of its last inputs lie: let these be a single one."""
    with model.disabled():
        model.anatomy.encode(model.anatomy.example(1))


def _held(model: AdaptedModel) -> dict[str, Tensor]:
    """Tensors in attributes of the adapter's modules that are neither parameters nor buffers, and
    buffers with a graph."""
    return {
        f"{path}.{name}".lstrip("."): tensor
        for path, module in model.adapter.named_modules()
        for name, tensor in _attributes(module)
    }


def _attributes(module: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    own = {k: v for k, v in vars(module).items() if not k.startswith("_") or k == "_buffers"}
    buffers = own.pop("_buffers", {})
    yield from ((k, b) for k, b in buffers.items() if b is not None and b.grad_fn is not None)
    for name, value in own.items():
        tensors = [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
        yield from ((name, t) for t in tensors if not isinstance(t, torch.nn.Parameter))


class Made(TorchDispatchMode):
    """Remembers the memory of all tensors that are made, without holding it."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        for value in tree_leaves(given):
            if isinstance(value, Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in self.memory:
                    self.memory[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        return given

    def alive_after(self, one_pass: Callable[[], None]) -> int:
        """How many bytes of what was made so far are alive when it is over."""
        before = self._alive()
        one_pass()
        if self._alive() > before > 0:
            gc.collect()
        return self._alive()

    def _alive(self) -> int:
        self.memory = {k: v for k, v in self.memory.items() if not v[0].expired()}
        return sum(size for _, size in self.memory.values())
