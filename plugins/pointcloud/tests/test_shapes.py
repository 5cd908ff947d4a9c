"""Generated objects: evenly spread over their surfaces, the same for a seed, seen imperfectly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from onlay_pointcloud.data import shapes
from onlay_pointcloud.data.config import ShapesConfig
from onlay_pointcloud.data.generated.objects import OBJECTS
from onlay_pointcloud.data.generated.surfaces import box, lathe, quad, rod, spread, tube

SMALL = {"train_size": 20, "val_size": 10, "test_size": 20}


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_areas_by_hand() -> None:
    assert quad((0, 0, 0), (2, 0, 0), (1, 3, 0)).area == pytest.approx(6)
    assert sum(side.area for side in box((0, 0, 0), (1, 2, 4))) == pytest.approx(28)
    assert rod((0, 0, 0), (0, 3, 0), 0.5).area == pytest.approx(3 * np.pi)
    disc, wall, cone = lathe([(0, 0), (3, 0), (3, 2), (0, 6)])
    assert disc.area == pytest.approx(9 * np.pi)
    assert wall.area == pytest.approx(12 * np.pi)
    assert cone.area == pytest.approx(15 * np.pi), "radius 3, slant 5"


def test_points_lie_on_the_surface_and_evenly() -> None:
    """Half of a disc's points lie outside 1/√2 of its radius; of a cone's, outside 1/√2 too."""
    disc, cone = lathe([(0, 0), (2, 0), (0, 2)])
    points = disc.sample(random(), 4000)
    assert np.all(points[:, 1] == 0)
    radius = np.hypot(points[:, 0], points[:, 2])
    assert radius.max() <= 2
    assert np.mean(radius > 2**0.5) == pytest.approx(0.5, abs=0.03)
    points = cone.sample(random(), 4000)
    radius = np.hypot(points[:, 0], points[:, 2])
    np.testing.assert_allclose(radius + points[:, 1], 2, atol=1e-9)
    assert np.mean(radius > 2**0.5) == pytest.approx(0.5, abs=0.03)


def test_a_bent_tube_keeps_its_distance() -> None:
    path = np.array([[0, 0, 0], [4, 0, 0], [4, 1, 0]], float)
    points = tube(path, 0.1).sample(random(), 5000)
    first = points[:, 0] < 3.8
    np.testing.assert_allclose(np.hypot(points[first, 1], points[first, 2]), 0.1)
    assert np.mean(first) == pytest.approx(3.8 / 5, abs=0.03)


def test_surfaces_share_points_by_area() -> None:
    """A side of area 1 and one of area 3."""
    sides = [quad((0, 0, 0), (1, 0, 0), (0, 0, 1)), quad((0, 5, 0), (3, 0, 0), (0, 0, 1))]
    points = spread(sides, random(), 4000)
    assert points.shape == (4000, 3)
    assert np.mean(points[:, 1] == 5) == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("kind", OBJECTS)
def test_every_object_stands_upright_and_varies(kind: str) -> None:
    clouds = [spread(OBJECTS[kind](np.random.default_rng(s)), random(), 500) for s in range(3)]
    assert all(np.isfinite(points).all() for points in clouds)
    extents = [np.ptp(points, axis=0) for points in clouds]
    assert all((extent > 0.05).all() for extent in extents)
    assert np.ptp(extents, axis=0).max() > 0.05


def test_parts_are_balanced_and_the_same_for_a_seed(spec: dict[str, Any]) -> None:
    first = shapes.build(ShapesConfig(**SMALL), spec, 0)
    again = shapes.build(ShapesConfig(**SMALL), spec, 7)
    assert first.labels == tuple(sorted(OBJECTS))
    assert len(first.labels) == 10
    assert [len(first.train), len(first.validation), len(first.test)] == [20, 10, 20]
    assert Counter(first.test.clouds.targets) == dict.fromkeys(range(10), 2)
    assert first.digest == again.digest
    for part in ("validation", "test"):
        for index in range(3):
            ours, theirs = (getattr(built, part)[index][0] for built in (first, again))
            assert ours.shape == (32, 3)
            assert torch.equal(ours, theirs)
    other = shapes.build(ShapesConfig(**SMALL, shapes_seed=1), spec, 0)
    assert other.digest != first.digest
    assert not torch.equal(other.test[0][0], first.test[0][0])
    sources = [p.clouds.sources[i].tobytes() for p in (first.train, first.test) for i in range(20)]
    assert len(set(sources)) == 40, "no shape is in two parts"


def test_parts_of_other_sizes_begin_alike(spec: dict[str, Any]) -> None:
    small = shapes.build(ShapesConfig(**SMALL), spec, 0)
    none = shapes.build(ShapesConfig(**(SMALL | {"val_size": 0, "train_size": 10})), spec, 0)
    assert none.validation is None
    assert np.array_equal(none.train.clouds.sources[7], small.train.clouds.sources[7])


def test_as_many_points_as_are_shown(spec: dict[str, Any]) -> None:
    built = shapes.build(ShapesConfig(**SMALL, preprocess={"npoints": 3000}), spec, 0)
    assert built.test[0][0].shape == (3000, 3)
    assert len(built.test[0][0].unique(dim=0)) == 3000


def test_a_shape_is_turned_cut_and_noisy() -> None:
    """Of a bottle, which looks alike from all sides, something is missing on one side."""
    clouds = [shapes.seen("bottle", np.random.default_rng(s), 1000) for s in range(40)]
    assert all(points.shape == (1000, 3) and points.dtype == np.float32 for points in clouds)
    off_centre = [np.linalg.norm(points.mean(0)) for points in clouds]
    assert max(off_centre) > 0.15
    assert min(off_centre) < 0.05
