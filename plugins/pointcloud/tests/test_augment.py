"""What chance does to a cloud: ranges, independence, and what stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import pytest
import torch
from torch import Tensor

from onlay_pointcloud.data.augment import chosen, isotropic, rotate, rotation, scale_translate
from onlay_pointcloud.data.config import CloudPreprocess

CORNERS = torch.cat([torch.zeros(1, 3), torch.eye(3)])
"""From what the origin and the unit points become, scale and shift are read off."""


def drawn(change: Callable[[Tensor], Tensor], number: int = 2000) -> tuple[Tensor, Tensor]:
    """Scales and shifts (number, 3) of as many clouds."""
    torch.manual_seed(0)
    made = torch.stack([change(CORNERS) for _ in range(number)])
    shift = made[:, 0]
    matrices = made[:, 1:] - shift[:, None]
    off_diagonal = matrices - torch.diag_embed(matrices.diagonal(dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-6
    return matrices.diagonal(dim1=1, dim2=2), shift


def correlation(a: Tensor, b: Tensor) -> float:
    return abs(torch.corrcoef(torch.stack([a, b]))[0, 1].item())


def within(values: Tensor, low: float, high: float) -> None:
    """All inside, nearly up to the ends, and flat: a quarter below a quarter of the range."""
    edge = 0.01 * (high - low)
    assert low - 1e-6 <= values.min() <= low + edge
    assert high - edge <= values.max() <= high + 1e-6
    quarter = low + (high - low) / 4
    assert (values < quarter).float().mean().item() == pytest.approx(0.25, abs=0.04)


def test_scale_and_translate_draw_every_axis_by_itself() -> None:
    """Six independent numbers a cloud; of 2,000, correlations stay under 0.1 (4.5 deviations)."""
    scale, shift = drawn(scale_translate)
    for axis in range(3):
        within(scale[:, axis], 2 / 3, 3 / 2)
        within(shift[:, axis], -0.2, 0.2)
    columns = torch.cat([scale, shift], dim=1).T
    assert max(correlation(columns[i], columns[j]) for i in range(6) for j in range(i)) < 0.1


def test_isotropic_scales_all_axes_alike_and_shifts_each() -> None:
    scale, shift = drawn(isotropic)
    assert (scale - scale[:, :1]).abs().max() < 1e-6
    within(scale[:, 0], 0.8, 1.25)
    for axis in range(3):
        within(shift[:, axis], -0.1, 0.1)
    assert max(correlation(shift[:, i], shift[:, j]) for i in range(3) for j in range(i)) < 0.1


@pytest.mark.parametrize(("axis", "kept", "plane"), [("y", 1, (0, 2)), ("z", 2, (0, 1))])
def test_rotate_turns_about_the_vertical_alone(
    axis: str, kept: int, plane: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    points = torch.randn(1000, 4, 3)
    turned = torch.stack([rotate(cloud, axis=axis) for cloud in points])
    torch.testing.assert_close(turned[..., kept], points[..., kept])
    torch.testing.assert_close(turned.norm(dim=-1), points.norm(dim=-1))
    before, after = (p[..., plane[0]] + 1j * p[..., plane[1]] for p in (points, turned))
    angles = (after / before).angle() % (2 * pi)
    torch.testing.assert_close(angles[:, 1:], angles[:, :1].expand(-1, 3), atol=1e-2, rtol=0)
    within(angles[:, 0], 0, 2 * pi)


def test_the_published_matrix() -> None:
    """p R, R = [[c, 0, s], [0, 1, 0], [-s, 0, c]]: a quarter turn takes x to z and z to -x."""
    turned = torch.eye(3) @ rotation(torch.tensor(pi / 2), "y")
    expected = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    torch.testing.assert_close(turned, expected, atol=1e-6, rtol=0)


def test_one_choice_and_never_two() -> None:
    assert chosen(CloudPreprocess()) is None
    assert chosen(CloudPreprocess(augment="scale_translate")) is scale_translate
    turn = chosen(CloudPreprocess(augment="rotate", rotate_axis="z"))
    assert turn is not None
    points = turn(CORNERS)
    assert torch.equal(points[0], CORNERS[0]), "nothing is shifted"
    torch.testing.assert_close(points.norm(dim=1), CORNERS.norm(dim=1))


def test_a_generator_of_ones_own_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    both = chosen(CloudPreprocess(augment="rotate", jitter_sigma=0.01))
    assert both is not None
    makers = (scale_translate, isotropic, lambda p, g: rotate(p, g, axis="y"), both)
    for change in makers:
        first, again = (change(CORNERS, torch.Generator().manual_seed(3)) for _ in range(2))
        assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
