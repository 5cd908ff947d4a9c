"""Clouds without an extent, and those so far away that float32 cannot hold theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onlay_pointcloud.data.preprocess import Loader, normalized, reader, require_fine


def facts(**own: Any) -> dict[str, Any]:
    return {"npoints": 4, "min_points": 1, "normalize": "none"} | own


@pytest.mark.parametrize("how", ["centre", "unit_sphere"])
def test_points_at_one_place_lie_at_the_origin(how: str) -> None:
    """The mean of three times 0.1 is not 0.1."""
    assert normalized(np.full((3, 3), 0.1), how).tolist() == [[0, 0, 0]] * 3


def test_one_point_has_no_extent(tmp_path: Path, fails: Callable) -> None:
    np.save(path := tmp_path / "one.npy", [[1.0, 2, 3]])
    read = reader(facts(normalize="unit_sphere"))
    fails(lambda: read(path), f"`{path}` has one point, and no extent", "unit_sphere`")
    assert reader(facts())(path).tolist() == [[1, 2, 3]] * 4


def test_far_away_float32_is_coarse(tmp_path: Path, cloud: Callable, fails: Callable) -> None:
    """Near 5,000,000 its steps are 0.5, of an extent of 3 more than a thousandth."""
    points = cloud(50).astype(np.float64) + np.array([500_000, 5_000_000, 0])
    np.save(path := tmp_path / "far.npy", points)
    told = (f"`{path}` has coordinates up to 5,000,00", "steps of 0.5", "normalize: centre`")
    fails(lambda: Loader(facts())(path), *told)
    for how in ("centre", "unit_sphere"):
        assert len(Loader(facts(normalize=how))(path).unique(dim=0)) == 50


@pytest.mark.parametrize(("extent", "refused"), [(499.0, True), (501.0, False)])
def test_a_thousandth_of_the_extent_is_fine(extent: float, refused: bool, fails: Callable) -> None:
    """From 4,194,304 to 8,388,608 steps are 0.5."""
    points = np.array([[0, 5e6, 0], [extent, 5e6, 0]])
    if refused:
        fails(lambda: require_fine(points, "it"), "it has coordinates up to 5,000,000")
    else:
        require_fine(points, "it")
