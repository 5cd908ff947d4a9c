"""`.bin` files say nothing about themselves: scans are read, and what may be something else is
refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onlay_pointcloud.data.readers import read_points

CHANCE = np.random.default_rng(0)


def scan(points: int) -> np.ndarray:
    """Around a sensor, 2 and more metres away, with intensities from 0 to 1."""
    angle, far = CHANCE.uniform(0, 2 * np.pi, points), 2 + CHANCE.exponential(15, points)
    height = CHANCE.normal(-1, 0.7, points)
    return np.c_[far * np.cos(angle), far * np.sin(angle), height, CHANCE.beta(1, 3, points)]


def car(points: int, at: tuple[float, float, float]) -> np.ndarray:
    """One that was cut out of a scan: its back and a side, 1.6 and 3.9 long, 1.5 high."""
    along, behind = CHANCE.uniform(-0.5, 0.5, points), CHANCE.random(points) < 0.5
    x, y = np.where(behind, -1.95, 3.9 * along), np.where(behind, 1.6 * along, -0.8)
    height = CHANCE.uniform(-0.75, 0.75, points)
    return np.c_[np.c_[x, y, height] + at, CHANCE.beta(1, 3, points)]


def ringed(points: int) -> np.ndarray:
    """nuScenes': intensities up to 255, and one of 32 rings."""
    return np.c_[
        scan(points)[:, :3], CHANCE.integers(0, 256, points), CHANCE.integers(0, 32, points)
    ]


def written(path: Path, rows: np.ndarray) -> Path:
    rows.astype("<f4").tofile(path)
    return path


SCANS = {
    "a small scan": ("a.bin", scan(120)),
    "a scan": ("a.bin", scan(12_000)),
    "a car about its middle": ("a.bin", car(60, (0, 0, 0))),
    "a car where it stood": ("a.bin", car(60, (20, 8, -1))),
    "without intensities": ("a.bin", scan(120) * [1, 1, 1, 0]),
    "with rings": ("a.pcd.bin", ringed(120)),
    "with rings, by its numbers alone": ("a.bin", ringed(120)),
}
"""Their bytes would fill rows of 3 and of 6 numbers as well."""


@pytest.mark.parametrize("name", SCANS)
def test_scans_are_read(tmp_path: Path, name: str) -> None:
    file, rows = SCANS[name]
    points = read_points(written(tmp_path / file, rows))
    assert np.array_equal(points, rows[:, :3].astype(np.float32))


OTHERS = {
    "x y z alone": CHANCE.random((100, 3)),
    "x y z of a flat box": CHANCE.random((400, 3)) * [5, 3, 0.1],
    "normals, too": np.c_[CHANCE.random((400, 3)), CHANCE.random((400, 3))],
    "colours, too": np.c_[5 * CHANCE.random((400, 3)), CHANCE.integers(0, 256, (400, 3))],
}
"""None below 0, so that every fourth number may be an intensity."""


@pytest.mark.parametrize("name", OTHERS)
def test_numbers_that_may_be_other_columns_are_refused(
    tmp_path: Path, fails: Callable, name: str
) -> None:
    path = written(tmp_path / "a.bin", OTHERS[name])
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.bin`: ", "write it as `.npy`")
