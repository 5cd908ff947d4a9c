"""What modules make of the tensors that they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from onlay.model.adapted import AdaptedModel
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.methods.precision import require_finite_gradients
from onlay.testing.methods.running import all_close, close, gradients, recomputing
from onlay.testing.states import strided

LARGE = 100.0
"""How much larger than usual the activations of a pretrained network may be, as some channels of
ViTs are."""


def placed(model: AdaptedModel) -> list[nn.Module]:
    """Every module that the method placed, once."""
    pipes = model.adapter.pipes.values()
    lists = [m for p in pipes for m in (p.rewrites, p.branches, p.carriers, p.inserts)]
    found = [module for modules in lists for module in modules]
    return list(dict.fromkeys([*found, *(r.module for r in model.adapter.replacements)]))


@contextmanager
def _given(model: AdaptedModel, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """What modules read becomes `change(tensor)` first; whole numbers stay as they are."""

    def enter(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(change(a) if _is_real(a) else a for a in args)

    handles = [module.register_forward_pre_hook(enter) for module in placed(model)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_real(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def check_sources_stay_as_they_are(case: MethodCase) -> None:
    """No module writes into a tensor that it reads, in training or in evaluation: the backbone and
    other modules read on from it."""
    model = case.lent()
    batch = case.batch(model)
    written: set[str] = set()
    with _watched(model, written):
        model.train().loss(batch)
        with torch.no_grad():
            model.eval()(batch[0])
    names = ", ".join(f"`{name}`" for name in sorted(written))
    require(not written, f"{names} writes into the tensor that it reads")


@contextmanager
def _watched(model: AdaptedModel, written: set[str]) -> Iterator[None]:
    """Notes the kinds of modules whose inputs are not what they were when they are through."""
    open_calls: list[list[tuple[Tensor, int, Tensor]]] = []

    def enter(module: nn.Module, args: Sequence[Any]) -> None:
        tensors = [a for a in args if isinstance(a, Tensor)]
        open_calls.append([(t, t._version, t.detach().clone()) for t in tensors])

    def leave(module: nn.Module, args: Sequence[Any], output: Any) -> None:
        for tensor, version, before in open_calls.pop():
            if tensor._version != version or not torch.equal(tensor.detach(), before):
                written.add(type(module).__name__)

    handles = [m.register_forward_pre_hook(enter) for m in placed(model)]
    handles += [m.register_forward_hook(leave) for m in placed(model)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_takes_tensors_that_are_not_contiguous(case: MethodCase) -> None:
    """Tensors whose axes lie in memory in another order, inputs and what modules read, give the
    same outputs and gradients."""
    model = case.lent()
    inputs, targets = case.batch(model)
    expected, plain = model(inputs).detach(), gradients(model, (inputs, targets))
    turned = strided(inputs)
    with _given(model, strided):
        close(model(turned), expected, "outputs of inputs that are not contiguous and that are")
        all_close(gradients(model, (turned, targets)), plain, "not contiguous")


def check_is_finite_on_large_values(case: MethodCase) -> None:
    """Outputs and gradients are finite where inputs, or what modules read, are a hundred times
    larger than usual, as some channels of pretrained networks are."""
    model = case.lent()
    inputs, targets = case.batch(model)
    large = inputs * LARGE if inputs.is_floating_point() else inputs
    _require_finite(model, large, targets, "on large inputs")
    with _given(model, lambda x: x * LARGE):
        _require_finite(model, inputs, targets, "where modules read large values")


def _require_finite(model: AdaptedModel, inputs: Tensor, targets: Tensor, where: str) -> None:
    model.zero_grad()
    output = model.train()(inputs)
    require(bool(output.isfinite().all()), f"outputs are not finite {where}")
    model.loss((inputs, targets)).backward()
    require_finite_gradients(model)


def check_gates_at_partial_activity(case: MethodCase) -> None:
    """Where modules read such large values that gates stand open for some tokens and shut for
    others, an input alone gives what it gives in a batch, and recomputed gradients are the same."""
    model = case.lent()
    inputs, targets = case.batch(model)
    with _given(model, lambda x: x * LARGE):
        with torch.no_grad():
            together = model(inputs)
            alone = torch.cat([model(one) for one in inputs.split(1)])
        close(alone, together, "with gates in part open, an input alone and in a batch")
        plain = gradients(model.train(), (inputs, targets))
        with recomputing(model):
            all_close(gradients(model, (inputs, targets)), plain, "recomputed")
