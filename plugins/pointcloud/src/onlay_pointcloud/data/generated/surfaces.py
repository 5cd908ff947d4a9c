"""Surfaces that points are spread over evenly. y is up; lengths are in the object's own unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Random = np.random.Generator
Vector = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Surface:
    """`sample(random, n)` gives points (n, 3), evenly spread."""

    area: float
    sample: Callable[[Random, int], np.ndarray]


def spread(surfaces: Sequence[Surface], random: Random, count: int) -> np.ndarray:
    """Points (count, 3) over all surfaces, each by its area, in random order."""
    areas = np.array([surface.area for surface in surfaces])
    shares = random.multinomial(count, areas / areas.sum())
    points = [s.sample(random, n) for s, n in zip(surfaces, shares, strict=True)]
    return random.permutation(np.concatenate(points))


def quad(corner: Vector, u: Vector, v: Vector) -> Surface:
    """The parallelogram from `corner` along `u` and `v`."""
    start, sides = np.array(corner, float), np.array([u, v], float)
    area = float(np.linalg.norm(np.cross(*sides)))
    return Surface(area, lambda random, n: start + random.random((n, 2)) @ sides)


def box(centre: Vector, size: Vector) -> list[Surface]:
    """The six sides of a box along the axes."""
    middle, half = np.array(centre, float), np.array(size, float) / 2
    sides = []
    for axis in range(3):
        u, v = (2 * half[a] * np.eye(3)[a] for a in range(3) if a != axis)
        for sign in (-1, 1):
            corner = middle - half
            corner[axis] = middle[axis] + sign * half[axis]
            sides.append(quad(corner, u, v))
    return sides


def lathe(profile: Sequence[tuple[float, float]], squash: float = 1.0) -> list[Surface]:
    """What the line through (radius, height) points sweeps about the y axis; `squash` flattens it
    along z."""
    return [_ring(start, end, squash) for start, end in pairwise(profile)]


def tube(path: np.ndarray, radius: float) -> Surface:
    """The surface around a line through points (M, 3)."""
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1)

    def sample(random: Random, n: int) -> np.ndarray:
        which = random.choice(len(steps), n, p=lengths / lengths.sum())
        along = steps[which] / lengths[which, None]
        around = random.normal(size=(n, 3))
        around -= (around * along).sum(1, keepdims=True) * along
        around *= radius / np.linalg.norm(around, axis=1, keepdims=True)
        return path[which] + random.random((n, 1)) * steps[which] + around

    return Surface(float(2 * np.pi * radius * lengths.sum()), sample)


def rod(start: Vector, end: Vector, radius: float) -> Surface:
    """A straight tube without ends."""
    return tube(np.array([start, end], float), radius)


def moved(surface: Surface, change: Callable[[np.ndarray], np.ndarray]) -> Surface:
    """The surface under a rigid motion of points (n, 3)."""
    return Surface(surface.area, lambda random, n: change(surface.sample(random, n)))


def _ring(start: tuple[float, float], end: tuple[float, float], squash: float) -> Surface:
    """The side of a frustum; a disc where both heights are equal."""
    (r0, y0), (r1, y1) = start, end
    area = np.pi * (r0 + r1) * np.hypot(r1 - r0, y1 - y0) * (1 + squash) / 2

    def sample(random: Random, n: int) -> np.ndarray:
        # the density grows with the radius: its integral, a parabola, is inverted
        u, angle = random.random(n), 2 * np.pi * random.random(n)
        radius = np.sqrt(r0**2 + u * (r1**2 - r0**2))
        t = u if abs(r1 - r0) < 1e-9 else (radius - r0) / (r1 - r0)
        xz = radius * np.stack([np.cos(angle), squash * np.sin(angle)])
        return np.stack([xz[0], y0 + t * (y1 - y0), xz[1]], axis=1)

    return Surface(float(area), sample)
