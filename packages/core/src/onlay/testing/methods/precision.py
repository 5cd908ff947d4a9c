"""Numbers that are rounded more than usual."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from onlay.model.adapted import AdaptedModel
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.states import listed


def check_is_finite_in_bfloat16(case: MethodCase) -> None:
    """Under autocast to bfloat16 outputs and gradients are finite, and outputs near those in
    float32."""
    model = case.lent()
    inputs, targets = case.batch(model)
    exact = model(inputs)
    with torch.autocast(inputs.device.type, torch.bfloat16):
        rounded = model(inputs)
        loss = model.loss((inputs, targets))
    loss.backward()
    require_finite_gradients(model)
    _near(rounded, exact)


def require_finite_gradients(model: AdaptedModel) -> None:
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
    exact = case.lent()
    inputs, targets = case.batch(exact)
    for dtype in (torch.bfloat16, torch.float16):
        built = case.bare()
        built.module.to(dtype)
        model = case.moved(built)
        model.loss((inputs, targets)).backward()
        require_finite_gradients(model)
        _near(model(inputs), exact(inputs))
        narrow = [n for n, p in model.trained_parameters().items() if _narrow(n, p)]
        require(not narrow, f"{listed(narrow)} trains in {dtype}")


def _narrow(name: str, parameter: Tensor) -> bool:
    own = not name.startswith("adapter.thawed.")  # a copy has the dtype of what it stands in for
    return own and parameter.dtype.itemsize < 4


def check_runs_in_bfloat16(case: MethodCase) -> None:
    """Converted to bfloat16 as a whole, backbone, adapter and head, it takes inputs in float32, its
    outputs and gradients are finite, and its outputs are bfloat16 and near those in float32."""
    exact, model = case.lent(), case.moved()
    inputs, targets = case.batch(exact)
    model.to(torch.bfloat16)
    output = model(inputs)
    model.loss_of(output, targets).backward()
    require(output.dtype == torch.bfloat16, f"its outputs are {output.dtype}")
    require_finite_gradients(model)
    _near(output, exact(inputs))


def check_steps_without_float64(case: MethodCase) -> None:
    """A training step on float32 inputs makes no tensor in float64, which Apple's GPUs have not."""
    model = case.lent().train()
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
