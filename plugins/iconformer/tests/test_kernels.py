"""From the feature of an input to its kernels: the three generators, static ones, and the norm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.features import Grid
from onlay_iconformer.kernels import (
    GENERATORS,
    ConvPoolGenerator,
    FilterNorm,
    KernelBound,
    LinearGenerator,
    SeGenerator,
    StaticKernels,
)

GENERATED = ["linear", "conv_pool", "se"]


def feature(*shape: int) -> Tensor:
    g = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=g)


def test_linear_is_one_layer_of_the_mean() -> None:
    generator, z = LinearGenerator(3, 9).double(), feature(2, 6, 3)
    found = generator(z, (2, 3))
    weight, bias = generator.kernels.weight, generator.kernels.bias
    for b, c, tap in ((0, 0, 0), (1, 2, 8), (1, 1, 4)):
        row = 9 * c + tap  # channel by channel
        expected = sum(weight[row, i] * z[b, :, i].sum() / 6 for i in range(3)) + bias[row]
        assert found[b, c, tap].item() == pytest.approx(expected.item(), abs=1e-12)
    assert found.shape == (2, 3, 9)


def test_se_has_a_narrow_layer_in_between() -> None:
    """A quarter of eight, with ReLU; at least one."""
    generator, z = SeGenerator(8, 9).double(), feature(2, 6, 8)
    first, second = generator.squeeze, generator.kernels
    assert first.out_features == 2
    with torch.no_grad():
        first.bias.copy_(torch.tensor([-9.0, 9.0]))  # one is closed, the other open
    hidden = (z.sum(1) / 6 @ first.weight.T + first.bias).clamp(min=0)
    assert (hidden == 0).any()
    assert (hidden > 0).any()
    expected = (hidden @ second.weight.T + second.bias).view(2, 8, 9)
    torch.testing.assert_close(generator(z, (2, 3)), expected)
    assert SeGenerator(3, 9).squeeze.out_features == 1


def test_conv_pool_of_a_map_by_hand() -> None:
    """A map of 3 x 6 is pooled to 3 x 3 by pairs of columns."""
    generator: Any = ConvPoolGenerator(2, 9).double()
    z = feature(2, 18, 2)
    weight, bias = generator.convolution.weight, generator.convolution.bias
    assert weight.shape == (2, 2, 3, 3)
    padded = torch.zeros(2, 5, 8, 2, dtype=torch.float64)
    padded[:, 1:4, 1:7] = z.view(2, 3, 6, 2)

    def at(b: int, c: int, h: int, w: int) -> Tensor:
        return (weight[c].permute(1, 2, 0) * padded[b, h : h + 3, w : w + 3]).sum() + bias[c]

    found = generator(z, (3, 6))
    for b, c, row, column in ((0, 0, 0, 0), (1, 1, 1, 2), (0, 1, 2, 1)):
        expected = (at(b, c, row, 2 * column) + at(b, c, row, 2 * column + 1)) / 2
        assert found[b, c, 3 * row + column].item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("grid", [(1, 1), (2, 5), (7, 3)])
def test_conv_pool_of_any_map(grid: tuple[int, int]) -> None:
    found = ConvPoolGenerator(2, 25).double()(feature(2, grid[0] * grid[1], 2), grid)
    assert found.shape == (2, 2, 25)
    if grid == (1, 1):
        torch.testing.assert_close(found, found[..., :1].expand(-1, -1, 25))


@pytest.mark.parametrize("name", GENERATED)
def test_two_inputs_have_two_kernels(name: str, alone: Any) -> None:
    adapter = alone(Grid(2, 3), generator=name)
    seen: list[Tensor] = []
    adapter.kernels.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    adapter(feature(2, 6, 5))
    (kernels_Bdk,) = seen
    assert (kernels_Bdk[0] - kernels_Bdk[1]).abs().mean() > 1e-3
    adapter(feature(1, 6, 5).expand(2, -1, -1))
    assert torch.equal(seen[1][0], seen[1][1])


def test_static_ones_are_the_same_for_all() -> None:
    generator = StaticKernels(2, 9)
    kernels_Bdk = generator(feature(3, 6, 2), (2, 3))
    assert all(torch.equal(kernels_Bdk[b], generator.weight) for b in range(3))
    many = StaticKernels(1000, 9).weight
    assert 0.3 < many.abs().max() <= 1 / 3  # of nine taps: uniform up to 1 / sqrt(9)


@pytest.mark.parametrize("name", GENERATED)
def test_a_kernel_does_not_know_its_batch(name: str) -> None:
    torch.manual_seed(0)
    generator, z = GENERATORS[name](4, 9).double(), feature(3, 6, 4)
    together = generator(z, (2, 3))
    for b in range(3):
        torch.testing.assert_close(generator(z[b : b + 1], (2, 3)), together[b : b + 1])
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(generator(z[order], (2, 3)), together[order])


def test_the_norm_by_hand() -> None:
    """Taps 1 to 9 have mean 5 and deviation sqrt(60 / 9); a constant kernel becomes nothing."""
    norm = FilterNorm(2, 9).double()
    kernels = torch.stack([torch.arange(1.0, 10), torch.full((9,), 7.0)]).double()[None]
    found = norm(kernels)
    for tap in range(9):
        expected = (tap + 1 - 5) / (60 / 9) ** 0.5 * norm.deviation[0, tap].item()
        assert found[0, 0, tap].item() == pytest.approx(expected, rel=1e-6)
    assert not found[0, 1].any()


def test_normed_kernels_have_mean_zero_and_the_learnt_deviation() -> None:
    norm = FilterNorm(3, 9).double()
    with torch.no_grad():
        norm.deviation.fill_(0.7)
        found = norm(5 * feature(2, 3, 9) + 2)
    torch.testing.assert_close(found.mean(-1), torch.zeros(2, 3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.std(-1, correction=0), torch.full((2, 3), 0.7).double())


def test_deviations_start_at_the_gain_of_relu() -> None:
    """Normal, sqrt(2) over K = 3."""
    torch.manual_seed(0)
    deviation = FilterNorm(2000, 9).deviation
    assert deviation.std().item() == pytest.approx(2**0.5 / 3, rel=0.02)
    assert deviation.mean().item() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("taps", [1, 9])
def test_the_norm_of_equal_taps_has_a_gradient(taps: int) -> None:
    """A kernel of one tap, or one pooled from a map of one patch."""
    norm = FilterNorm(2, taps)
    kernels = torch.full((1, 2, taps), 3.0, requires_grad=True)
    norm(kernels).sum().backward()
    assert kernels.grad is not None
    assert kernels.grad.isfinite().all()
    assert norm.deviation.grad is not None
    assert norm.deviation.grad.isfinite().all()


def test_the_norm_is_computed_in_float32() -> None:
    norm = FilterNorm(2, 9)
    kernels = feature(1, 2, 9).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = norm(kernels)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, norm(kernels.float()).bfloat16())
    wide = feature(1, 2, 9)
    fine, coarse = norm(wide), norm(wide.float()).double()
    assert fine.dtype == torch.float64
    assert 0 < (fine - coarse).abs().max() < 1e-6  # and not narrowed where more is given


def test_the_bound_leaves_small_kernels_and_divides_others() -> None:
    """3 + 4 + 1 = 8; 0.5 + 0.25 is less than 1."""
    kernels = torch.tensor([[[3.0, -4, 1], [0.5, -0.25, 0]]])
    assert KernelBound()(kernels).tolist() == [[[3 / 8, -0.5, 1 / 8], [0.5, -0.25, 0]]]
    assert not [*KernelBound().parameters()]


def test_bounded_kernels_are_of_first_degree(alone: Any) -> None:
    """Twice the input makes twice the output where all kernels are bounded, and four times without:
    over six blocks that is what ended in numbers that are none."""
    x = 1e4 * feature(1, 6, 5)
    for kernel_norm, times in (("bound", 2), ("none", 4)):
        adapter = alone(Grid(2, 3), kernel_norm=kernel_norm, inner_residual=False)
        for bias in (adapter.down.bias, adapter.up.bias, adapter.generator.kernels.bias):
            torch.nn.init.zeros_(bias)
        torch.testing.assert_close(adapter(2 * x), times * adapter(x))
