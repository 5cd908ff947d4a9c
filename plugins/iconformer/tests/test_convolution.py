"""The adaptive convolution of maps: both forms, a loop over samples, and numbers by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from onlay_iconformer.convolution import grouped, on_map, shifted

FORMS = pytest.mark.parametrize("form", [grouped, shifted, on_map])
SIZES = pytest.mark.parametrize("size", [(2, 3), (5, 4), (1, 1), (1, 6)])


def drawn(*shape: int) -> Tensor:
    g = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=g)


def looped(z_BHWd: Tensor, kernels_Bdk: Tensor) -> Tensor:
    """Every output number is a sum over the taps that lie on the map."""
    B, H, W, d = z_BHWd.shape
    side = {1: 1, 9: 3, 25: 5}[kernels_Bdk.shape[-1]]
    half, numbers = side // 2, []
    for b, h, w, c in torch.cartesian_prod(*map(torch.arange, (B, H, W, d))).tolist():
        total = torch.zeros((), dtype=z_BHWd.dtype)
        for row in range(side):
            for column in range(side):
                y, x = h + row - half, w + column - half
                if 0 <= y < H and 0 <= x < W:
                    total = total + kernels_Bdk[b, c, row * side + column] * z_BHWd[b, y, x, c]
        numbers.append(total)
    return torch.stack(numbers).view(B, H, W, d)


def by_sample(z_BHWd: Tensor, kernels_Bdk: Tensor) -> Tensor:
    side, d = {1: 1, 9: 3, 25: 5}[kernels_Bdk.shape[-1]], z_BHWd.shape[-1]
    maps = [
        F.conv2d(z.permute(2, 0, 1), k.view(d, 1, side, side), padding=side // 2, groups=d)
        for z, k in zip(z_BHWd, kernels_Bdk, strict=True)
    ]
    return torch.stack(maps).permute(0, 2, 3, 1)


def with_gradients(form: Callable[..., Tensor], z: Tensor, kernels: Tensor) -> list[Tensor]:
    z, kernels = z.clone().requires_grad_(), kernels.clone().requires_grad_()
    output = form(z, kernels)
    (output * drawn(*output.shape)).sum().backward()
    assert z.grad is not None
    assert kernels.grad is not None
    return [output.detach(), z.grad, kernels.grad]


@pytest.mark.parametrize("side", [1, 3, 5])
@SIZES
def test_all_forms_agree_in_values_and_gradients(size: tuple[int, int], side: int) -> None:
    z, kernels = drawn(2, *size, 3), drawn(2, 3, side * side)
    expected = with_gradients(looped, z, kernels)
    for form in (by_sample, grouped, shifted, on_map):
        for found, wanted in zip(with_gradients(form, z, kernels), expected, strict=True):
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@FORMS
def test_takes_a_map_that_does_not_lie_in_one_piece(form: Any) -> None:
    """As patches behind prefix tokens are."""
    x = drawn(2, 1 + 6, 4)
    z = x[:, 1:].unflatten(1, (2, 3))
    kernels = drawn(2, 9, 4).transpose(1, 2)
    torch.testing.assert_close(form(z, kernels), by_sample(z.contiguous(), kernels))


@FORMS
@pytest.mark.parametrize(
    ("tap", "expected"),
    [
        (4, [[1.0, 2, 3], [4, 5, 6]]),  # the centre: itself
        (3, [[0.0, 1, 2], [0, 4, 5]]),  # the left neighbour
        (5, [[2.0, 3, 0], [5, 6, 0]]),  # the right one
        (1, [[0.0, 0, 0], [1, 2, 3]]),  # the one above
        (8, [[5.0, 6, 0], [0, 0, 0]]),  # below, to the right
    ],
)
def test_a_kernel_of_a_single_one_looks_to_where_it_stands(
    form: Any, tap: int, expected: list[list[float]]
) -> None:
    """Cross-correlation, taps row by row, zeros beyond the border."""
    z = torch.tensor([[1.0, 2, 3], [4, 5, 6]]).view(1, 2, 3, 1)
    kernel = torch.zeros(1, 1, 9)
    kernel[..., tap] = 1
    assert form(z, kernel)[0, :, :, 0].tolist() == expected


@FORMS
def test_of_ones_counts_the_neighbours_on_the_map(form: Any) -> None:
    found = form(torch.ones(1, 3, 4, 2), torch.ones(1, 2, 9))
    counts = [[4.0, 6, 6, 4], [6, 9, 9, 6], [4, 6, 6, 4]]
    assert found[0, :, :, 0].tolist() == found[0, :, :, 1].tolist() == counts


@FORMS
def test_every_sample_and_channel_has_its_own_kernel(form: Any) -> None:
    """Sample b, channel c: b + 10 c times the map."""
    z = torch.ones(3, 2, 2, 2)
    kernels = torch.zeros(3, 2, 9)
    kernels[..., 4] = torch.tensor([[0.0, 10], [1, 11], [2, 12]])
    assert form(z, kernels)[:, 1, 0].tolist() == [[0, 10], [1, 11], [2, 12]]


@FORMS
def test_a_sample_does_not_see_its_batch(form: Any) -> None:
    z, kernels = drawn(4, 3, 5, 6), drawn(4, 6, 9)
    together = form(z, kernels)
    for b in range(4):
        one = form(z[b : b + 1], kernels[b : b + 1])
        torch.testing.assert_close(together[b : b + 1], one, rtol=0, atol=1e-12)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(form(z[order], kernels[order]), together[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 2, 3, 4), (2, 0, 3, 4)])
def test_nothing_of_nothing(shape: tuple[int, ...]) -> None:
    assert on_map(torch.zeros(shape), torch.zeros(shape[0], 4, 9)).shape == shape


@FORMS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_keeps_the_type(form: Any, dtype: torch.dtype) -> None:
    z, kernels = drawn(2, 3, 3, 4).to(dtype), drawn(2, 4, 9).to(dtype)
    found = form(z, kernels)
    assert found.dtype == dtype
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(
        found.double(), by_sample(z.double(), kernels.double()), rtol=tolerance, atol=tolerance
    )
