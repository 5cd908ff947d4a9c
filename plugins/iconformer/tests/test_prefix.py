"""Tokens that lie on no map, and the adapter's other settings, one adapter at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.features import Grid, Points


def drawn(*shape: int) -> Tensor:
    g = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=g)


MAP, CLOUD = Grid(2, 3, prefix=2), Points(drawn(2, 6, 3), prefix=2)
LAYOUTS = pytest.mark.parametrize("layout", [MAP, CLOUD], ids=["map", "cloud"])


@LAYOUTS
def test_prefix_tokens_know_nothing_of_the_map(layout: Any, alone: Any) -> None:
    adapter, x, other = alone(layout, neighbours=4), drawn(2, 8, 5), drawn(2, 8, 5) + 1
    other[:, :2] = x[:, :2]
    before, after = adapter(x), adapter(other)
    assert torch.equal(after[:, :2], before[:, :2])
    assert not torch.isclose(after[:, 2:], before[:, 2:]).any()


@LAYOUTS
def test_the_map_knows_nothing_of_prefix_tokens(layout: Any, alone: Any) -> None:
    """Neither the convolution nor the kernels, of which the mean is over patches alone."""
    adapter, x, other = alone(layout, neighbours=4), drawn(2, 8, 5), drawn(2, 8, 5) + 1
    other[:, 2:] = x[:, 2:]
    assert torch.equal(adapter(other)[:, 2:], adapter(x)[:, 2:])


def test_prefix_tokens_pass_by_hand(alone: Any) -> None:
    """Down, ReLU, up, times a tenth."""
    adapter, x = alone(MAP), drawn(2, 8, 5)
    z = F.relu(x[:, :2] @ adapter.down.weight.T + adapter.down.bias)
    expected = 0.1 * (z @ adapter.up.weight.T + adapter.up.bias)
    torch.testing.assert_close(adapter(x)[:, :2], expected)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize(
    ("layout", "fields", "tap"),
    [
        (MAP, {}, 4),
        (MAP, {"kernel_size": 5}, 12),
        (MAP, {"kernel_size": 1}, 0),
        (CLOUD, {"neighbours": 4}, 0),
    ],
    ids=["3 x 3", "5 x 5", "1 x 1", "cloud"],
)
def test_the_centre_tap_by_hand(
    layout: Any, fields: dict[str, int], tap: int, residual: bool, alone: Any
) -> None:
    """A token as a map of its own meets only the centre of a kernel, or a group's own tap."""
    adapter = alone(layout, prefix_tokens="centre_tap", inner_residual=residual, **fields)
    x = drawn(2, 8, 5)
    z = x @ adapter.down.weight.T + adapter.down.bias
    k = adapter.generator.kernels(z[:, 2:].mean(1)).unflatten(1, (4, -1))
    k = k / k.abs().sum(-1, keepdim=True).clamp_min(1)
    y = torch.stack([z[b, :2] * k[b, :, tap] for b in range(2)])
    y = y + z[:, :2] if residual else y
    expected = 0.1 * (F.relu(y) @ adapter.up.weight.T + adapter.up.bias)
    torch.testing.assert_close(adapter(x)[:, :2], expected)
    passing = alone(layout, inner_residual=residual, **fields)
    assert torch.equal(passing(x)[:, 2:], adapter(x)[:, 2:])


def test_without_inner_residual(alone: Any, written: Any) -> None:
    """The same as with it, where a one is taken from the centre of every kernel."""
    adapter, x = alone(Grid(2, 3), inner_residual=False, kernel_norm="none"), drawn(2, 6, 5)
    plain = adapter(x)
    with torch.no_grad():
        adapter.generator.kernels.bias.view(4, 9)[:, 4] -= 1
    torch.testing.assert_close(written(adapter, x, grid=(2, 3), bounded=False), plain)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_kernels_of_every_size(size: int, alone: Any, written: Any) -> None:
    adapter, x = alone(Grid(4, 3, prefix=1), kernel_size=size), drawn(2, 13, 5)
    assert adapter.generator.kernels.out_features == 4 * size * size
    torch.testing.assert_close(adapter(x), written(adapter, x, grid=(4, 3)))


def test_activation_and_scale(alone: Any, written: Any) -> None:
    adapter, x = alone(MAP, activation="gelu", scale=2.5), drawn(2, 8, 5)
    expected = written(adapter, x, grid=(2, 3), scale=2.5, activation=F.gelu)
    torch.testing.assert_close(adapter(x), expected)


def test_a_learnt_scale(alone: Any, written: Any) -> None:
    """Starts at its setting and is one number; the fixed one is none of the parameters."""
    adapter, x = alone(MAP, learnable_scale=True), drawn(2, 8, 5)
    assert isinstance(adapter.scale, nn.Parameter)
    assert adapter.scale.shape == ()
    with torch.no_grad():
        adapter.scale.fill_(0.4)
    torch.testing.assert_close(adapter(x), written(adapter, x, grid=(2, 3), scale=0.4))
    assert "scale" not in dict(alone(MAP).named_parameters())


def test_the_norm_stands_between_generator_and_convolution(alone: Any) -> None:
    adapter, x = alone(Grid(2, 3), kernel_norm="filter"), drawn(2, 6, 5)
    seen: list[Tensor] = []
    adapter.kernels.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    adapter(x)
    raw = adapter.generator(x @ adapter.down.weight.T + adapter.down.bias, (2, 3))
    centred = raw - raw.mean(-1, keepdim=True)
    deviation = centred.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(
        seen[0], centred / deviation * adapter.kernel_norm.deviation, rtol=1e-4, atol=1e-5
    )


def test_a_map_needs_no_layout(alone: Any) -> None:
    """Height and width of (B, H, W, D) are its own, whatever the backbone says."""
    adapter, x = alone(Grid(9, 9)), drawn(2, 2, 3, 5)
    rows = alone(Grid(2, 3))(x.flatten(1, 2))
    assert torch.equal(adapter(x), rows.view(2, 2, 3, 5))


@pytest.mark.parametrize("generator", ["linear", "conv_pool", "se"])
@pytest.mark.parametrize("norm", ["none", "bound", "filter"])
def test_the_order_of_the_batch(generator: str, norm: str, alone: Any) -> None:
    adapter = alone(MAP, generator=generator, kernel_norm=norm)
    x, order = drawn(4, 8, 5), torch.tensor([3, 1, 0, 2])
    together = adapter(x)
    torch.testing.assert_close(adapter(x[order]), together[order], rtol=0, atol=1e-12)
    for b in range(4):
        one = adapter(x[b : b + 1])
        torch.testing.assert_close(one, together[b : b + 1], rtol=0, atol=1e-12)
