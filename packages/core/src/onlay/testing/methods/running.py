"""Forward and backward passes in every way in which people run them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from onlay.machine.system import CAN_FORK
from onlay.model.adapted import AdaptedModel
from onlay.testing.case import MethodCase
from onlay.testing.checking import require, told_of
from onlay.testing.ranks import in_two_processes
from onlay.testing.states import bits, changed, listed

CLOSE = 1e-4


def no_fork(case: MethodCase) -> str:
    """Processes are forked, which an accelerator's threads and other systems do not survive."""
    if not CAN_FORK:
        return "processes are forked, on Linux only"
    return "an accelerator is in use here" if torch.accelerator.is_available() else ""


def check_evaluation_draws_no_random_number(case: MethodCase) -> None:
    """In evaluation two passes agree bit for bit and leave torch's generator where it was: dropout
    and noise belong to training."""
    model = case.lent()
    inputs, _ = case.batch(model)
    with torch.no_grad():
        state = torch.get_rng_state()
        first, second = model(inputs), model(inputs)
    require(torch.equal(first, second), "two passes in evaluation differ")
    require(torch.equal(state, torch.get_rng_state()), "evaluation draws random numbers")


def check_evaluation_is_the_same_with_gradients(case: MethodCase) -> None:
    """With gradients switched on, too, two passes in evaluation agree bit for bit, draw no random
    number, move no buffer, and give what they give without."""
    model = case.lent()
    inputs, _ = case.batch(model)
    with torch.no_grad():
        expected = model(inputs)
    state, before = torch.get_rng_state(), bits(model.adapter)
    first, second = model(inputs), model(inputs)
    require(torch.equal(first, second), "two passes in evaluation differ with gradients on")
    require(torch.equal(state, torch.get_rng_state()), "with gradients on it draws random numbers")
    require(not (names := changed(before, bits(model.adapter))), f"{names} changed in evaluation")
    close(first, expected, "outputs with gradients and without")


def check_inputs_of_a_batch_do_not_touch(case: MethodCase) -> None:
    """In evaluation an input alone gives the output that it gives in a batch."""
    model = case.lent()
    inputs, _ = case.batch(model)
    if inputs.is_floating_point():
        inputs = inputs * torch.linspace(0.5, 1.5, len(inputs)).view(-1, *[1] * (inputs.ndim - 1))
    with torch.no_grad():
        together = model(inputs)
        alone = torch.cat([model(one) for one in inputs.split(1)])
    close(alone, together, "an input alone and in a batch")


def check_takes_inputs_that_are_not_square(case: MethodCase) -> None:
    """Where tokens lie is asked of the layout: inputs twice as wide as high pass, where the bare
    backbone takes them."""
    model = case.lent()
    inputs, targets = case.batch(model, 2)
    wide = torch.cat([inputs, inputs], dim=-1)
    try:
        with model.disabled() as bare, torch.no_grad():
            bare(wide)
    except Exception:
        return
    require(bool(model.loss((wide, targets)).isfinite()), "the loss is not finite")


def check_compiles(case: MethodCase) -> None:
    """`torch.compile` of the model gives the loss and gradients of the model itself."""
    model = case.moved()
    batch = case.batch(model)
    expected = gradients(model, batch)
    torch.manual_seed(3)
    plain = model(*batch).detach()
    torch.compiler.reset()
    model.zero_grad()
    torch.manual_seed(3)
    loss = torch.compile(model, backend="eager")(*batch)
    close(loss, plain, "compiled and plain losses")
    loss.backward()
    all_close(_collected(model), expected, "compiled")


def check_recomputes_to_the_same_gradients(case: MethodCase) -> None:
    """Gradient checkpointing changes no gradient, under one seed, and none is missing; what a pass
    moves by itself, a running mean for one, moves once."""
    model = case.lent()
    batch = case.batch(model)
    expected, moved = _passed(model.train(), batch)
    with recomputing(model):
        found, again = _passed(model, batch)
    all_close(found, expected, "recomputed")
    for name, tensor in moved.items():
        twice = again[name].double(), tensor.double()
        close(*twice, f"`{name}` after a recomputed pass and after a plain one")


@contextmanager
def recomputing(model: AdaptedModel) -> Iterator[None]:
    """Gradient checkpointing for a while."""
    model.set_grad_checkpointing(True)
    try:
        yield
    finally:
        model.set_grad_checkpointing(False)


def check_two_processes_agree(cases: Sequence[MethodCase]) -> None:
    """Under DDP with two processes no parameter is reported unused, and both end with the same
    gradients, the mean over their parts of the batch."""
    usual = [case for case in cases if case.first]
    work = {str(case): (case.lent(), case.batch(case.lent())) for case in usual}
    for case, ranks in in_two_processes(work).items():
        with told_of(case):
            all_close(*ranks, "the other process's")


def gradients(model: AdaptedModel, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Those of one pass; a running mean that the pass has moved is put back for the next one."""
    return _passed(model, batch)[0]


def _passed(
    model: AdaptedModel, batch: tuple[Tensor, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Gradients, and what else of the state there is behind the pass, which is put back."""
    state = taken(model)
    model.zero_grad()
    torch.manual_seed(3)
    model.loss(batch).backward()
    stepped = model.trained_parameters().keys()
    moved = {name: tensor for name, tensor in taken(model).items() if name not in stepped}
    model.load_trained_state(state)
    return _collected(model), moved


def taken(model: AdaptedModel) -> dict[str, Tensor]:
    """A copy of what trains and of the buffers that move, for `load_trained_state`."""
    return {name: tensor.clone() for name, tensor in model.trained_state().items()}


def _collected(model: AdaptedModel) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.trained_parameters().items() if p.grad is not None}


def all_close(got: dict[str, Tensor], expected: dict[str, Tensor], what: str) -> None:
    gone = sorted(expected.keys() ^ got.keys())
    require(not gone, f"{listed(gone)} has a {what} gradient or none, unlike the plain one")
    for name, gradient in got.items():
        close(gradient, expected[name], f"`{name}`: {what} gradient and plain gradient")


def close(got: Tensor, expected: Tensor, what: str) -> None:
    worst = (got - expected).abs().max().item()
    size = max(expected.abs().max().item(), 1.0)
    require(worst <= CLOSE * size, f"{what} differ by {worst:.2g}")
