"""The kernels of clouds: which groups are near, and the sum over them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.errors import ConfigError
from onlay.features import Points
from onlay_iconformer.adapter import Neighbourhood
from onlay_iconformer.convolution import nearest_centres, on_points

LINE = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [7, 0, 0]]])


def drawn(*shape: int) -> Tensor:
    g = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=g)


def test_four_centres_on_a_line() -> None:
    """At 0, 1, 3 and 7: from near to far, each itself first."""
    expected = [[0, 1, 2, 3], [1, 0, 2, 3], [2, 1, 0, 3], [3, 2, 1, 0]]
    assert nearest_centres(LINE, 4).tolist() == [expected]
    assert nearest_centres(LINE, 2).tolist() == [[row[:2] for row in expected]]
    assert nearest_centres(LINE, 1).tolist() == [[[0], [1], [2], [3]]]


def test_of_equal_distances_the_lower_index() -> None:
    """The corners of a square, twice: a twin is as near as itself, and still comes second."""
    square = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]])
    assert nearest_centres(square, 3).tolist() == [[[0, 1, 2], [1, 0, 3], [2, 0, 3], [3, 1, 2]]]
    twins = torch.cat([square, square], dim=1)
    assert nearest_centres(twins, 3)[0, [0, 4, 7]].tolist() == [[0, 4, 1], [4, 0, 1], [7, 3, 1]]


def test_many_against_sorting(nearest: Any) -> None:
    centres = drawn(2, 12, 3).float()
    for cloud, found in zip(centres, nearest_centres(centres, 5), strict=True):
        assert found.tolist() == nearest(cloud, 5)


def test_the_sum_over_neighbours_by_hand() -> None:
    """Two channels, taps (1, 10) and (0, 1): group g gives z_g + 10 z_n and z_n."""
    z = torch.tensor([[[1.0, 1], [2, 2], [3, 3], [4, 4]]])
    kernels = torch.tensor([[[1.0, 10], [0, 1]]])
    found = on_points(z, kernels, nearest_centres(LINE, 2))
    assert found.tolist() == [[[21, 2], [12, 1], [23, 2], [34, 3]]]


def test_the_sum_against_a_loop_with_gradients() -> None:
    z, kernels = drawn(2, 5, 3).requires_grad_(), drawn(2, 3, 4).requires_grad_()
    near = nearest_centres(drawn(2, 5, 3).float(), 4)
    rows = [
        torch.stack([kernels[b, :, j] * z[b, near[b, g, j]] for j in range(4)]).sum(0)
        for b in range(2)
        for g in range(5)
    ]
    looped = torch.stack(rows).view(2, 5, 3)
    found, weight = on_points(z, kernels, near), drawn(2, 5, 3)
    torch.testing.assert_close(found, looped, rtol=0, atol=1e-12)
    ours = torch.autograd.grad((found * weight).sum(), [z, kernels])
    theirs = torch.autograd.grad((looped * weight).sum(), [z, kernels])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_groups_in_another_order() -> None:
    z, kernels, centres = drawn(2, 9, 3), drawn(2, 3, 4), drawn(2, 9, 3).float()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    plain = on_points(z, kernels, nearest_centres(centres, 4))
    moved = on_points(z[:, order], kernels, nearest_centres(centres[:, order], 4))
    torch.testing.assert_close(moved, plain[:, order], rtol=0, atol=1e-12)


def test_is_computed_once_for_one_tensor_of_centres() -> None:
    near = Neighbourhood(3)
    first = near(LINE)
    assert near(LINE) is first
    other = near(LINE.flip(1))
    assert other is not first
    assert other.tolist() == nearest_centres(LINE.flip(1), 3).tolist()


def test_more_neighbours_than_groups() -> None:
    with pytest.raises(ConfigError) as caught:
        Neighbourhood(5)(LINE)
    assert str(caught.value).startswith(
        "`method.neighbours` 5 is more than the 4 groups of a cloud"
    )


def test_one_adapter_against_the_sum_by_hand(alone: Any, written: Any) -> None:
    """With two tokens before the groups."""
    centres = drawn(2, 6, 3)
    adapter = alone(Points(centres, prefix=2), neighbours=3)
    x = drawn(2, 2 + 6, 5)
    torch.testing.assert_close(adapter(x), written(adapter, x, centres=centres))
    order = torch.tensor([0, 1, 5, 3, 2, 7, 4, 6])
    moved = alone(Points(centres[:, order[2:] - 2], prefix=2), neighbours=3)
    torch.testing.assert_close(moved(x[:, order]), adapter(x)[:, order], rtol=0, atol=1e-12)
