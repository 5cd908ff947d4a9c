"""Surfaces as grids of corners (U, V, 3), and points drawn uniformly from their area.

Coordinates: z up. Lengths are relative; clouds are scaled to the unit sphere in the end.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from numpy.random import Generator

SIDES = 14
"""Corners around a solid of revolution."""
RING = np.stack([np.cos(np.linspace(0, 2 * np.pi, 11)), np.sin(np.linspace(0, 2 * np.pi, 11))], 1)
CAPSULE = np.array(
    [[0, 0.6, 0.9, 1, 1, 0.9, 0.6, 0], [-0.9, -0.7, -0.4, 0, 0, 0.4, 0.7, 0.9], [1] * 8]
)
"""Radius, place along the axis, and one, of the rings of a rounded limb of girth 1, length 0."""


def sample(grids: list[ndarray], count: int, rng: Generator) -> ndarray:
    """Points (count, 3), equally dense on all the surfaces together."""
    triangles = np.concatenate([_triangles(grid) for grid in grids])
    a, b, c = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = np.sqrt((np.cross(b, c) ** 2).sum(1)).cumsum()
    if not area[-1] > 0:
        raise ValueError("a surface without area")
    chosen = np.searchsorted(area, rng.random(count) * area[-1]).clip(max=len(area) - 1)
    root, along = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return a[chosen] + root * ((1 - along) * b[chosen] + along * c[chosen])


def _triangles(grid: ndarray) -> ndarray:
    p, q, r, s = grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:], grid[1:, 1:]
    halves = [np.stack(corners, 2).reshape(-1, 3, 3) for corners in ((p, q, r), (s, r, q))]
    return np.concatenate(halves)


ORIGIN = np.zeros(3)


def box(size: ndarray, centre: ndarray = ORIGIN) -> list[ndarray]:
    """Six rectangles; `size` holds the whole edges."""
    half, faces = np.asarray(size) / 2, []
    for axis in range(3):
        first, second = (other for other in range(3) if other != axis)
        for side in (-1, 1):
            face = np.zeros((2, 2, 3))
            face[..., axis] = side
            face[1, :, first], face[:, 1, second] = 1, 1
            face[0, :, first], face[:, 0, second] = -1, -1
            faces.append(face * half + centre)
    return faces


def revolve(radii: ndarray, heights: ndarray, sides: int = SIDES) -> ndarray:
    """The profile (radius, height) turned about the z axis; radius 0 closes an end."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    x, y = np.outer(radii, np.cos(angle)), np.outer(radii, np.sin(angle))
    return np.stack([x, y, np.broadcast_to(np.asarray(heights)[:, None], x.shape)], -1)


def torus(whole: float, tube_radius: float) -> ndarray:
    turn = np.linspace(0, 2 * np.pi, 17)
    return revolve(whole + tube_radius * np.cos(turn), tube_radius * np.sin(turn), 24)


def superquadric(size: ndarray, exponents: ndarray) -> ndarray:
    """Barr's superellipsoid (1981): exponents 1 give an ellipsoid, near 0 a box, 2 a diamond."""
    tilt, turn = np.linspace(-np.pi / 2, np.pi / 2, 17), np.linspace(0, 2 * np.pi, 25)

    def power(x: ndarray, exponent: float) -> ndarray:
        return np.sign(x) * np.abs(x) ** exponent

    ring, height = power(np.cos(tilt), exponents[0]), power(np.sin(tilt), exponents[0])
    x = np.outer(ring, power(np.cos(turn), exponents[1]))
    y = np.outer(ring, power(np.sin(turn), exponents[1]))
    return np.stack([x, y, np.broadcast_to(height[:, None], x.shape)], -1) * size


def extrude(outline: ndarray, height: float) -> list[ndarray]:
    """Walls and lids over an outline (n, 2) that is star-shaped about the origin."""
    ring = np.concatenate([outline, outline[:1]])
    low = np.c_[ring, np.full(len(ring), -height / 2)]
    high = low * [1, 1, -1]
    lids = [np.stack([edge * [0, 0, 1], edge]) for edge in (low, high)]
    return [np.stack([low, high]), *lids]


def tube(path: ndarray, radii: ndarray, sides: int = 10) -> ndarray:
    """A closed tube around a path (n, 3); its cross-section is carried along without twist."""
    path = np.concatenate([path[:1], path, path[-1:]])
    radii = np.concatenate([[0], np.broadcast_to(radii, len(path) - 2), [0]])
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-9
    across = np.empty_like(path)
    last = np.eye(3)[np.abs(tangents[0]).argmin()]
    for i, tangent in enumerate(tangents):
        last = last - (last @ tangent) * tangent
        last = last / (np.linalg.norm(last) + 1e-9)
        across[i] = last
    beside, angle = np.cross(tangents, across), np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * beside[:, None]
    return path[:, None] + radii[:, None, None] * ring


def limb(start: ndarray, end: ndarray, girth: float, taper: float = 1.0) -> ndarray:
    """A capsule from `start` to `end`, the radius at the end `taper` times that at the start."""
    axis = np.asarray(end) - start
    length = np.sqrt(axis @ axis) + 1e-9
    axis = axis / length
    beside = _cross(axis, np.eye(3)[np.abs(axis).argmin()])
    beside = beside / np.sqrt(beside @ beside)
    size = girth * CAPSULE[2]
    size[4:] *= taper
    radii, along = size * CAPSULE[0], size * CAPSULE[1]
    along[4:] += length
    ring = RING @ np.stack([beside, _cross(axis, beside)])
    return radii[:, None, None] * ring + along[:, None, None] * axis + start


def _cross(a: ndarray, b: ndarray) -> ndarray:
    """`numpy.cross`, which takes its time over two single vectors."""
    (a0, a1, a2), (b0, b1, b2) = a.tolist(), b.tolist()
    return np.array([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0])


def turn(angle: float, axis: int) -> ndarray:
    """A rotation by `angle` about a coordinate axis."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -matrix[second, first]
    return matrix
