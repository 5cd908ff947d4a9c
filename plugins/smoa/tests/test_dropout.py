"""Dropout drawn four values at a time is dropout."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay_smoa.dropout import Dropout

SIZE = 2**18


def drop(x: Tensor, rate: float, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return Dropout(rate).train()(x)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_rate_and_mean(rate: float) -> None:
    """Within five standard deviations of a fraction of 262,144 values."""
    y = drop(torch.ones(SIZE), rate)
    dropped = (y == 0).float().mean().item()
    deviation = math.sqrt(rate * (1 - rate) / SIZE)
    assert dropped == pytest.approx(rate, abs=5 * deviation + 2**-17)
    torch.testing.assert_close(y[y > 0], torch.full_like(y[y > 0], 1 / (1 - rate)), rtol=1e-3,
                               atol=0)  # fmt: skip
    assert y.mean().item() == pytest.approx(1.0, abs=5 * deviation / (1 - rate))


@pytest.mark.parametrize("apart", [1, 2, 3, 4])
def test_values_are_dropped_independently(apart: int) -> None:
    """Also the four of one draw: both of a pair with the square of the rate."""
    gone = drop(torch.ones(SIZE), 0.3) == 0
    both = (gone[:-apart] & gone[apart:]).float().mean().item()
    assert both == pytest.approx(0.09, abs=5 * math.sqrt(0.09 * 0.91 / SIZE))
    first = gone.view(-1, 4).float().mean(0)  # each place within a draw
    bound = 5 * math.sqrt(0.3 * 0.7 / (SIZE / 4))
    torch.testing.assert_close(first, torch.full((4,), 0.3), atol=bound, rtol=0)


def test_only_while_training() -> None:
    x = torch.randn(7, 5)
    module = Dropout(0.5)
    assert module.eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    assert (module.train()(x) == 0).any()


def test_reproducible_by_torchs_seed() -> None:
    x = torch.ones(1000)
    assert torch.equal(drop(x, 0.3, seed=5), drop(x, 0.3, seed=5))
    assert not torch.equal(drop(x, 0.3, seed=5), drop(x, 0.3, seed=6))
    torch.manual_seed(5)
    module = Dropout(0.3).train()
    assert not torch.equal(module(x), module(x))


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (5,), (3, 7), (2, 3, 11), (0, 4)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    y = drop(torch.ones(shape), 0.5)
    assert y.shape == shape
    assert ((y == 0) | (y == 2)).all()


def test_an_input_that_is_not_contiguous() -> None:
    x = torch.arange(1.0, 13.0).view(3, 4).T
    y = drop(x, 0.5)
    assert ((y == 0) | (y == 2 * x)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gradients_are_zero_where_values_were_dropped(dtype: torch.dtype) -> None:
    x = torch.full((100,), 3.0, dtype=dtype, requires_grad=True)
    y = drop(x, 0.5)
    y.sum().backward()
    assert x.grad is not None
    assert y.dtype == x.grad.dtype == dtype
    assert torch.equal(x.grad == 0, y == 0)
    assert 0 < (y == 0).sum() < 100
    assert x.grad[y > 0].eq(2).all()


def test_a_rate_next_to_one() -> None:
    """The nearest multiple below 1, at which one value in 65,536 is kept."""
    y = drop(torch.ones(SIZE), 0.9999999)
    assert ((y == 0) | (y == 65_536)).all()
    assert (y > 0).sum() < 20


@pytest.mark.parametrize("base", ["adaptformer", "dapt"])
def test_acts_in_the_bottleneck_of_an_expert(base: str, mixture: Any, tokens: Tensor) -> None:
    """Behind the activation, while training."""
    mixed, seen = mixture(base, rank=50, dropout=0.5), []
    mixed.experts.dropout.register_forward_hook(lambda _, args, y: seen.append((*args, y)))
    torch.manual_seed(0)
    assert torch.equal(mixed(tokens, 0).output, mixed(tokens, 0).output)
    assert not torch.equal(mixed.train()(tokens, 0).output, mixed(tokens, 0).output)
    assert torch.equal(*seen[0])
    before, after = seen[-1]
    assert before.shape[-1] == 50
    assert before.min() > -0.18  # GELU's minimum is -0.17, ReLU's 0
    dropped = (after == 0) & (before != 0)
    assert dropped.sum() / (before != 0).sum() == pytest.approx(0.5, abs=0.05)
