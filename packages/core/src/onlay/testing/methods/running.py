"""Forward and backward passes in every way in which people run them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from onlay.machine.system import CAN_FORK
from onlay.model.adapted import AdaptedModel
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.ranks import in_two_processes
from onlay.testing.states import listed

CLOSE = 1e-4


def no_fork(case: MethodCase) -> str:
    """Processes are forked, which an accelerator's threads and other systems do not survive."""
    if not CAN_FORK:
        return "processes are forked, on Linux only"
    return "an accelerator is in use here" if torch.accelerator.is_available() else ""


def check_evaluation_draws_no_random_number(case: MethodCase) -> None:
    """In evaluation two passes agree bit for bit and leave torch's generator where it was: dropout
    and noise belong to training."""
    model = case.moved()
    inputs, _ = case.batch(model)
    with torch.no_grad():
        state = torch.get_rng_state()
        first, second = model(inputs), model(inputs)
    require(torch.equal(first, second), "two passes in evaluation differ")
    require(torch.equal(state, torch.get_rng_state()), "evaluation draws random numbers")


def check_inputs_of_a_batch_do_not_touch(case: MethodCase) -> None:
    """In evaluation an input alone gives the output that it gives in a batch."""
    model = case.moved()
    inputs, _ = case.batch(model)
    if inputs.is_floating_point():
        inputs = inputs * torch.linspace(0.5, 1.5, len(inputs)).view(-1, *[1] * (inputs.ndim - 1))
    with torch.no_grad():
        together = model(inputs)
        alone = torch.cat([model(one) for one in inputs.split(1)])
    _close(alone, together, "an input alone and in a batch")


def check_takes_inputs_that_are_not_square(case: MethodCase) -> None:
    """Where tokens lie is asked of the layout: inputs twice as wide as high pass, where the bare
    backbone takes them."""
    model = case.moved()
    inputs, targets = case.batch(model, 2)
    wide = torch.cat([inputs, inputs], dim=-1)
    try:
        with model.disabled() as bare, torch.no_grad():
            bare(wide)
    except Exception:
        return
    require(bool(model.loss((wide, targets)).isfinite()), "the loss is not finite")


def check_is_finite_in_bfloat16(case: MethodCase) -> None:
    """Under autocast to bfloat16 outputs and gradients are finite, and outputs near those in
    float32."""
    model = case.moved()
    inputs, targets = case.batch(model)
    exact = model(inputs)
    with torch.autocast(inputs.device.type, torch.bfloat16):
        rounded = model(inputs)
        loss = model.loss((inputs, targets))
    loss.backward()
    _require_finite_gradients(model)
    _near(rounded, exact)


def _require_finite_gradients(model: AdaptedModel) -> None:
    named = model.trained_parameters().items()
    bad = [n for n, p in named if p.grad is not None and not bool(p.grad.isfinite().all())]
    require(not bad, f"gradients of {listed(bad)} are not finite")


def _near(rounded: Tensor, exact: Tensor) -> None:
    require(bool(rounded.isfinite().all()), "outputs are not finite")
    worst = (rounded.float() - exact).abs().max() / exact.abs().max().clamp(min=1)
    require(bool(worst < 0.2), f"outputs are off by {worst:.2g} of their size")


def check_runs_beside_a_backbone_in_half_precision(case: MethodCase) -> None:
    """Beside a backbone in bfloat16 or half it trains in float32, its outputs and gradients are
    finite, and its outputs near those beside the backbone in float32."""
    for dtype in (torch.bfloat16, torch.float16):
        built = case.bare()
        built.module.to(dtype)
        model, exact = case.moved(built), case.moved()
        exact.load_trained_state(model.trained_state())
        inputs, targets = case.batch(exact)
        model.loss((inputs, targets)).backward()
        _require_finite_gradients(model)
        _near(model(inputs), exact(inputs))
        narrow = [n for n, p in model.trained_parameters().items() if _narrow(n, p)]
        require(not narrow, f"{listed(narrow)} trains in {dtype}")


def _narrow(name: str, parameter: Tensor) -> bool:
    own = not name.startswith("adapter.thawed.")  # a copy has the dtype of what it stands in for
    return own and parameter.dtype.itemsize < 4


def check_steps_without_float64(case: MethodCase) -> None:
    """A training step on float32 inputs makes no tensor in float64, which Apple's GPUs have not."""
    model = case.moved().train()
    batch = case.batch(model)
    with _Wide() as wide:
        model.loss(batch).backward()
    require(not wide.made, f"{listed(sorted(wide.made))} gives float64")


class _Wide(TorchDispatchMode):
    """Notes which operations give tensors in float64; a number that was wrapped is none."""

    def __init__(self) -> None:
        super().__init__()
        self.made: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        for value in tree_leaves(given):
            if isinstance(value, Tensor) and value.dtype == torch.float64 and value.ndim:
                self.made.add(str(func))
        return given


def check_compiles(case: MethodCase) -> None:
    """`torch.compile` of the model gives the outputs and gradients of the model itself."""
    model = case.moved()
    batch = case.batch(model)
    expected = model(batch[0]), _gradients(model, batch)
    torch.compiler.reset()
    model.zero_grad()
    compiled = torch.compile(model, backend="eager")
    _close(compiled(batch[0]), expected[0], "compiled and plain outputs")
    torch.manual_seed(3)
    compiled(*batch).backward()
    _all_close(_collected(model), expected[1], "compiled")


def check_recomputes_to_the_same_gradients(case: MethodCase) -> None:
    """Gradient checkpointing changes no gradient, under one seed, and none is missing."""
    model = case.moved()
    batch = case.batch(model)
    expected = _gradients(model.train(), batch)
    model.set_grad_checkpointing(True)
    _all_close(_gradients(model, batch), expected, "recomputed")


def check_two_processes_agree(case: MethodCase) -> None:
    """Under DDP with two processes no parameter is reported unused, and both end with the same
    gradients, the mean over their parts of the batch."""
    model = case.moved()
    batch = case.batch(model)
    ranks = in_two_processes(model, batch)
    _all_close(ranks[0], ranks[1], "the other process's")


def _gradients(model: AdaptedModel, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    model.zero_grad()
    torch.manual_seed(3)
    model.loss(batch).backward()
    return _collected(model)


def _collected(model: AdaptedModel) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.trained_parameters().items() if p.grad is not None}


def _all_close(got: dict[str, Tensor], expected: dict[str, Tensor], what: str) -> None:
    gone = sorted(expected.keys() ^ got.keys())
    require(not gone, f"{listed(gone)} has a {what} gradient or none, unlike the plain one")
    for name, gradient in got.items():
        _close(gradient, expected[name], f"`{name}`: {what} gradient and plain gradient")


def _close(got: Tensor, expected: Tensor, what: str) -> None:
    worst = (got - expected).abs().max().item()
    size = max(expected.abs().max().item(), 1.0)
    require(worst <= CLOSE * size, f"{what} differ by {worst:.2g}")
