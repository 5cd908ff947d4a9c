"""The backward pass of training without dropout, against torch's own."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.testing import tiny_backbone
from onlay_arc.recomposing import plain, recomposed


def inputs(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """x (2, 3, 2, 6), U (6, 3), s (1, 3), b (6,)."""
    g = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 2, 6), (6, 3), (1, 3), (6,))
    return [torch.randn(s, generator=g, dtype=dtype).requires_grad_() for s in shapes]


def gradients(compute: Any, given: list[Tensor], autocast: bool = False) -> list[Tensor]:
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = compute(*given)
    wanted = [t for t in given if t.requires_grad]
    return [y.detach(), *torch.autograd.grad(y, wanted, torch.ones_like(y).cumsum(0))]


def test_first_and_second_order_in_double_precision() -> None:
    assert torch.autograd.gradcheck(recomposed, inputs())
    assert torch.autograd.gradgradcheck(recomposed, inputs())


@pytest.mark.parametrize("frozen_input", [False, True])
def test_as_torch_computes_it(frozen_input: bool) -> None:
    given = inputs(torch.float32)
    given[0].requires_grad_(not frozen_input)
    found, wanted = gradients(recomposed, given), gradients(plain, given)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_under_autocast_and_in_half_precision(dtype: torch.dtype) -> None:
    found = gradients(recomposed, inputs(dtype), autocast=dtype == torch.float32)
    exact = gradients(plain, [t.detach().double().requires_grad_() for t in inputs(dtype)])
    assert {t.dtype for t in found} == {dtype}
    for one, other in zip(found, exact, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()


def test_per_input_gradients_by_torch_func() -> None:
    x, *own = (t.detach() for t in inputs())

    def loss(own: list[Tensor], x: Tensor) -> Tensor:
        return recomposed(x, *own).square().sum()

    found = torch.vmap(torch.func.grad(loss), (None, 0))(own, x)
    alone = torch.func.grad(loss)(own, x[1])
    torch.testing.assert_close([t[1] for t in found], alone)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_without_dropout(adapt: Any, images: Tensor, checkpointing: bool) -> None:
    """Against the same model while everything is computed by what torch does."""
    model = adapt(tiny_backbone(), dropout=0.0).train()
    model.set_grad_checkpointing(checkpointing)
    batch = images, torch.tensor([0, 1])
    found = torch.autograd.grad(model.loss(batch), list(model.adapter.parameters()))
    assert "_Recomposed" in graph(model.loss(batch)) or checkpointing
    other = copy.deepcopy(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onlay_arc.adapter.recomposed", plain)
        wanted = torch.autograd.grad(other.loss(batch), list(other.adapter.parameters()))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def graph(loss: Tensor) -> str:
    names, waiting = set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in names:
            names.add(node)
            waiting += [n for n, _ in node.next_functions]
    return " ".join(type(node).__name__ for node in names)
