"""Narrow products: the values of torch's, and gradients that are formed row by row."""

from __future__ import annotations

import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from onlay.narrow import Widening, narrowed, widened


class Products(TorchDispatchMode):
    """The shapes of all matrix products."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.mm.default:
            self.shapes.append((*args[0].shape, args[1].shape[1]))
        return func(*args, **(kwargs or {}))


def products_of_the_backward_pass(y):
    with Products() as products:
        y.sum().backward()
    return set(products.shapes)


def test_a_gradient_is_formed_with_few_rows_not_with_few_columns():
    # 2 x 5 tokens, rank 3, 7 inputs, 11 outputs: of (11, 3) it is the transpose that is made
    x = torch.randn(2, 5, 7, requires_grad=True)
    h, up = torch.randn(2, 5, 3, requires_grad=True), torch.randn(11, 3, requires_grad=True)
    down = torch.randn(7, 3, requires_grad=True)
    wide = products_of_the_backward_pass(widened(h, up, torch.ones(11)))
    assert wide == {(10, 11, 3), (3, 10, 11)}
    assert products_of_the_backward_pass(narrowed(x, down)) == {(10, 3, 7), (3, 10, 7)}
    assert products_of_the_backward_pass(F.linear(h, up)) == {(10, 11, 3), (11, 10, 3)}


def test_the_values_are_those_of_torch():
    layer, h = Widening(3, 11).double(), torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(h), F.linear(h, layer.weight, layer.bias))
    down, x = torch.randn(7, 3).double(), torch.randn(2, 5, 7).double()
    torch.testing.assert_close(narrowed(x, down), x @ down)
