"""Sampling, neighbours and grouping, on clouds that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from onlay.errors import DataError
from onlay_pointcloud.network import grouping
from onlay_pointcloud.network.grouping import Grouping
from onlay_pointcloud.ops import sampling
from onlay_pointcloud.ops.neighbours import interpolate, k_nearest
from onlay_pointcloud.ops.sampling import farthest_point_sample, fps_loop, take


def on_a_line(*xs: float) -> Tensor:
    """(1, N, 3), one unit off the x axis, so that none is near the origin."""
    return torch.tensor([[[x, 1.0, 0.0] for x in xs]])


@pytest.mark.parametrize(
    ("xs", "count", "chosen"),
    [
        ((0, 1, 2, 10), 3, [0, 3, 2]),  # farthest from 0 is 10, then 2 is 2 from 0 and 8 from 10
        ((5, 0, 9), 3, [0, 1, 2]),  # 0 is 5 away, 9 is 4
        ((0, 4, -4), 2, [0, 1]),  # equally far: the first
        ((0, 3, 3, 3), 4, [0, 1, 0, 0]),  # nothing new is left: everything is 0 away
        ((7,), 1, [0]),
    ],
)
def test_farthest_points_by_hand(xs: tuple[float, ...], count: int, chosen: list[int]) -> None:
    assert farthest_point_sample(on_a_line(*xs), count).tolist() == [chosen]
    assert fps_loop(on_a_line(*xs), count, False).tolist() == [chosen]


def test_points_near_the_origin_are_passed_over_but_for_the_first() -> None:
    """|p|² <= 1e-3, that is |p| <= 0.0316: the points 0.01 and 0.03 of these, not 0.04."""
    cloud = torch.tensor([[[0.01, 0, 0], [0.03, 0, 0], [0.04, 0, 0], [0, 1.0, 0], [-1.0, 0, 0]]])
    assert farthest_point_sample(cloud, 4).tolist() == [[0, 4, 3, 2]]
    assert farthest_point_sample(cloud, 5).tolist() == [[0, 4, 3, 2, 1]]
    for choose in (
        farthest_point_sample(cloud, 5, skip_near_origin=True),
        fps_loop(cloud, 5, True),
    ):
        assert set(choose[0].tolist()) == {0, 2, 3, 4}  # one of them twice
        assert choose[0, 0] == 0


def test_duplicates_and_a_cloud_at_the_origin() -> None:
    same = torch.zeros(2, 6, 3)
    assert farthest_point_sample(same, 4, skip_near_origin=True).tolist() == [[0] * 4] * 2
    assert farthest_point_sample(same + 1, 4).tolist() == [[0] * 4] * 2


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_kernel_and_loop_choose_the_same(skip: bool, scale: float) -> None:
    """On random clouds, on clouds with every point twice, and on a lattice full of ties."""
    assert sampling._kernel() is not None, "numba is a dependency"
    random = scale * torch.randn(3, 200, 3, generator=torch.Generator().manual_seed(2))
    lattice = scale * torch.cartesian_prod(*[torch.arange(-3.0, 4)] * 3).expand(2, -1, -1)
    for cloud in (random, random.repeat(1, 2, 1), lattice, random.double(), random.mT.clone().mT):
        expected = fps_loop(cloud.float(), 100, skip)
        assert torch.equal(farthest_point_sample(cloud, 100, skip_near_origin=skip), expected)


def test_each_point_is_farthest_from_those_before() -> None:
    """By definition, in float64, where no two distances tie."""
    cloud = torch.randn(1, 120, 3, generator=torch.Generator().manual_seed(3))
    chosen = farthest_point_sample(cloud, 30)[0]
    exact = cloud[0].double()
    for i in range(1, 30):
        to_chosen = (exact[:, None] - exact[chosen[:i]]).norm(dim=-1).amin(1)
        assert to_chosen.argmax() == chosen[i]


def test_more_centres_than_points_are_refused() -> None:
    with pytest.raises(DataError, match=r"9 centres were asked of clouds of 8 points"):
        farthest_point_sample(torch.randn(1, 8, 3), 9)
    with pytest.raises(DataError, match=r"9 neighbours were asked of clouds of 8 points"):
        k_nearest(torch.randn(1, 8, 3), torch.randn(1, 2, 3), 9)


def test_neighbours_by_hand() -> None:
    near = k_nearest(on_a_line(0, 1, 3, 7), on_a_line(0, 6), 2)
    assert near.sort(-1).values.tolist() == [[[0, 1], [2, 3]]]


def test_neighbours_are_exact_far_from_the_origin() -> None:
    """Against brute force in float64 at offset 100, where the usual expansion of squares fails."""
    cloud = torch.rand(2, 400, 3, generator=torch.Generator().manual_seed(4)) + 100
    centres = take(cloud, farthest_point_sample(cloud, 32))
    exact = (centres.double()[:, :, None] - cloud.double()[:, None]).norm(dim=-1)
    expected = exact.topk(16, largest=False).indices.sort(-1).values
    assert torch.equal(k_nearest(cloud, centres, 16).sort(-1).values, expected)
    quick = torch.cdist(centres, cloud, compute_mode="use_mm_for_euclid_dist")
    wrong = quick.topk(16, largest=False).indices.sort(-1).values != expected
    assert wrong.any(), "the data is to be a case where it matters"


def test_a_group_holds_its_centre_at_exactly_zero(clouds: Tensor) -> None:
    for moved in (clouds, clouds + 100):
        patches, centres = Grouping(16, 8)(moved)
        assert patches.shape == (2, 16, 8, 3)
        assert torch.equal(patches.norm(dim=-1).amin(-1), torch.zeros(2, 16))
        assert all(c in moved[0].tolist() for c in centres[0].tolist())


def test_interpolation_by_hand() -> None:
    """Squared distances 1, 4, 4 give weights 4/6, 1/6, 1/6; the fourth centre does not count; at a
    centre its own value is left alone."""
    centres = torch.tensor([[[1.0, 0, 0], [0, 2, 0], [0, 0, 2], [9, 9, 9]]])
    values = torch.tensor([[[6.0], [12.0], [18.0], [1000.0]]])
    points = torch.tensor([[[0.0, 0, 0], [0, 2, 0]]])
    found = interpolate(points, centres, values)
    assert found.flatten().tolist() == pytest.approx([24 / 6 + 12 / 6 + 18 / 6, 12.0], rel=1e-5)
    two = interpolate(points[:, :1], centres[:, :2], values[:, :2])
    assert two.item() == pytest.approx(0.8 * 6 + 0.2 * 12, rel=1e-5)


def test_order_of_points_does_not_matter_but_for_the_first(
    small: Callable[..., Any], clouds: Tensor
) -> None:
    model = small()
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(63)])
    with torch.no_grad():
        tokens, permuted = model(clouds), model(clouds[:, order])
        other_start = model(clouds.flip(1))
    assert (tokens - permuted).abs().max() < 1e-5
    assert (tokens - other_start).abs().max() > 1e-2


def test_moving_a_cloud_changes_tokens_and_no_patch(
    small: Callable[..., Any], clouds: Tensor
) -> None:
    """Coordinates are multiples of 1/64, so that adding 2 rounds nothing."""
    model, cloud = small(), (clouds * 64).round() / 64
    with torch.no_grad():
        patches, centres = model.group(cloud)
        moved_patches, moved_centres = model.group(cloud + 2)
        assert torch.equal(patches, moved_patches)
        assert torch.equal(centres + 2, moved_centres)
        assert (model(cloud) - model(cloud + 2)).abs().max() > 1e-2


def test_an_evaluated_cloud_is_grouped_once(
    clouds: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def counted(points: Tensor, count: int, **kwargs: Any) -> Tensor:
        seen.append(len(points))
        return farthest_point_sample(points, count, **kwargs)

    monkeypatch.setattr(grouping, "farthest_point_sample", counted)
    group = Grouping(16, 8).eval()
    fresh = group(clouds)
    again = group(clouds.flip(0))
    assert seen == [2]
    assert torch.equal(fresh[0], again[0].flip(0))
    assert torch.equal(fresh[1], again[1].flip(0))
    group(torch.stack([clouds[0], clouds[0] + 1]))
    assert seen == [2, 1]
    group.groups = 8
    assert group(clouds)[1].shape == (2, 8, 3), "another number of groups is another key"
    group.train()
    group(clouds), group(clouds)
    assert seen == [2, 1, 2, 2, 2]


def test_what_is_kept_of_evaluated_clouds_is_bounded(
    clouds: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud's indices are 4 (1 + 3) int32: room for three clouds."""
    monkeypatch.setattr(grouping, "KEPT_BYTES", 3 * 4 * 4 * 4)
    group = Grouping(4, 3).eval()
    for i in range(5):
        group(clouds + i)
    assert len(group.kept) == 3


def test_gradients_reach_points_through_groups(clouds: Tensor) -> None:
    points = clouds.clone().requires_grad_()
    patches, centres = Grouping(16, 8)(points)
    (patches.square().sum() + centres.sum()).backward()
    assert points.grad is not None
    assert points.grad.abs().sum() > 0


def test_coordinates_that_are_not_finite_are_refused() -> None:
    points = torch.zeros(2, 8, 3)
    points[1, 3, 2] = torch.nan
    with pytest.raises(DataError, match="NaN or infinite"):
        farthest_point_sample(points, 4)
