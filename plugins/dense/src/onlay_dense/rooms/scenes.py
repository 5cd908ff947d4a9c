"""Random rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onlay_dense.rooms.solids import Ball, Box, Floats, Pillar, Solid

CLASSES = ("floor", "ceiling", "wall", "box", "ball", "pillar")
"""What a pixel may show."""

SOLIDS = ("box", "ball", "pillar")


@dataclass(frozen=True)
class Paint:
    """Two colours in squares, as on a tiled floor, on every surface of a thing."""

    colours: Floats
    """(2, 3), from 0 to 1."""
    side: float
    """Of a square, in metres."""


@dataclass(frozen=True)
class Scene:
    """A room seen from inside; the camera is above the origin of the floor."""

    room: Box
    """Its walls, floor and ceiling are a box from within."""
    solids: tuple[Solid, ...]
    paints: tuple[Paint, ...]
    """Of floor, ceiling and walls, then of each solid."""
    light: Floats
    eye: float
    """The camera's height."""
    yaw: float
    """Radians to the right."""
    pitch: float
    """Radians upwards."""


def random_scene(random: np.random.Generator) -> Scene:
    """A room of 3 to 7 by 4 to 9 m and 2.3 to 3.2 m height with two to six things in it, seen from
    eye height, with a lamp below the ceiling."""
    width, depth, height = random.uniform([3, 4, 2.3], [7, 9, 3.2])
    behind = random.uniform(0.3, 1.0)  # of the room, behind the camera
    left = random.uniform(0.3, 0.7) * width
    middle = np.array([width / 2 - left, height / 2, depth / 2 - behind])
    solids = tuple(_solid(random, middle, (width, height, depth)) for _ in range(_count(random)))
    lamp = random.uniform([-left / 2, 0.8 * height, 0.5], [left / 2, 0.95 * height, depth / 2])
    return Scene(
        room=Box(middle, np.array([width, height, depth]) / 2),
        solids=solids,
        paints=tuple(_paint(random) for _ in range(3 + len(solids))),
        light=lamp,
        eye=random.uniform(1.2, 1.7),
        yaw=random.uniform(-0.35, 0.35),
        pitch=random.uniform(-0.25, 0.1),
    )


def _count(random: np.random.Generator) -> int:
    return int(random.integers(2, 7))


def _solid(random: np.random.Generator, middle: Floats, size: tuple[float, ...]) -> Solid:
    """One that stands on the floor, or a ball, which may hang, not within a metre in front of the
    camera."""
    (width, height, depth), kind = size, SOLIDS[random.integers(len(SOLIDS))]
    x = middle[0] + random.uniform(-0.45, 0.45) * width
    z = random.uniform(1.8, max(2.0, middle[2] + 0.45 * depth))
    if kind == "ball":
        radius = random.uniform(0.15, 0.5)
        hangs = random.uniform() ** 2 * (height - 2 * radius)
        return Ball(np.array([x, radius + hangs, z]), radius)
    if kind == "pillar":
        return Pillar(np.array([x, z]), random.uniform(0.1, 0.35), random.uniform(0.5, height))
    half = random.uniform([0.15, 0.15, 0.15], [0.6, 0.8, 0.5])
    return Box(np.array([x, half[1], z]), half, random.uniform(0, np.pi))


def _paint(random: np.random.Generator) -> Paint:
    colour = random.uniform(0.15, 0.95, 3)
    other = np.clip(colour * random.uniform(0.5, 1.1), 0, 1)
    return Paint(np.stack([colour, other]), random.uniform(0.15, 0.6))
