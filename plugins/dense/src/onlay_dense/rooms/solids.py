"""What rooms are made of, and where rays meet it.

A ray is an origin and a direction, not of unit length; it meets a solid at origin + t * direction,
the first t > 0. y is up. Lengths are metres.

Shapes: R rays; origins (R, 3) or (3,), directions (R, 3), points (R, 3), t (R,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEVER = np.inf
"""The t of a ray that misses."""


class Solid(Protocol):
    """Something that stands in a room."""

    @property
    def name(self) -> str:
        """Its class."""
        ...

    def meet(self, origins: Floats, directions: Floats) -> Floats:
        """The first t of each ray, `NEVER` where it misses."""
        ...

    def normals(self, points: Floats) -> Floats:
        """Outward, of unit length."""
        ...


@dataclass(frozen=True)
class Ball:
    """A sphere."""

    centre: Floats
    radius: float
    name: str = "ball"

    def meet(self, origins: Floats, directions: Floats) -> Floats:
        apart = origins - self.centre
        a, b = (directions**2).sum(-1), (directions * apart).sum(-1)
        c = (apart**2).sum(-1) - self.radius**2
        return _first_root(a, b, np.broadcast_to(c, a.shape))

    def normals(self, points: Floats) -> Floats:
        return (points - self.centre) / self.radius


@dataclass(frozen=True)
class Pillar:
    """An upright cylinder on the floor."""

    place: Floats
    """x and z of its axis."""
    radius: float
    height: float
    name: str = "pillar"

    def meet(self, origins: Floats, directions: Floats) -> Floats:
        origins = np.broadcast_to(origins, directions.shape)
        apart, flat = origins[:, [0, 2]] - self.place, directions[:, [0, 2]]
        a, b = (flat**2).sum(-1), (flat * apart).sum(-1)
        side = _first_root(a, b, (apart**2).sum(-1) - self.radius**2)
        with np.errstate(invalid="ignore"):
            up = origins[:, 1] + side * directions[:, 1]
        side = np.where((up >= 0) & (up <= self.height), side, NEVER)
        return np.minimum(side, self._top(origins, directions))

    def _top(self, origins: Floats, directions: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (self.height - origins[:, 1]) / directions[:, 1]
            place = (origins + t[:, None] * directions)[:, [0, 2]]
            inside = ((place - self.place) ** 2).sum(-1) <= self.radius**2
        return np.where(inside & (t > 0), t, NEVER)

    def normals(self, points: Floats) -> Floats:
        round_ = (points[:, [0, 2]] - self.place) / self.radius
        flat = np.stack([round_[:, 0], np.zeros(len(points)), round_[:, 1]], -1)
        on_top = points[:, 1] >= self.height - 1e-6
        return np.where(on_top[:, None], [0.0, 1.0, 0.0], flat)


@dataclass(frozen=True)
class Box:
    """A cuboid, turned about the vertical through its middle."""

    centre: Floats
    half: Floats
    """Half of its lengths."""
    turn: float = 0.0
    """Radians."""
    name: str = "box"

    def meet(self, origins: Floats, directions: Floats) -> Floats:
        near, far = slabs(self._own(origins - self.centre), self._own(directions), self.half)
        return np.where((near < far) & (near > 0), near, NEVER)

    def normals(self, points: Floats) -> Floats:
        return cube_normals(self._own(points - self.centre) / self.half) @ self._axes

    def _own(self, vectors: Floats) -> Floats:
        """In the box's own directions."""
        return vectors @ self._axes.T

    @property
    def _axes(self) -> Floats:
        c, s = np.cos(self.turn), np.sin(self.turn)
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def slabs(origins: Floats, directions: Floats, half: Floats) -> tuple[Floats, Floats]:
    """Where rays enter a cuboid about the origin, and where they leave it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (-half - origins) / directions, (half - origins) / directions
    return np.minimum(low, high).max(-1), np.maximum(low, high).min(-1)


def cube_normals(points: Floats) -> Floats:
    """Of points on the cube from -1 to 1: along the axis on which they are farthest out."""
    axis = np.abs(points).argmax(-1)
    return np.eye(3)[axis] * np.sign(np.take_along_axis(points, axis[:, None], -1))


def _first_root(a: Floats, b: Floats, c: Floats) -> Floats:
    """The least t > 0 with a t² + 2 b t + c = 0, from outside."""
    under = b**2 - a * c
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (-b - np.sqrt(np.maximum(under, 0))) / a
    return np.where((under > 0) & (t > 0), t, NEVER)
