"""A picture of a scene, with the class and the depth of each pixel, by casting one ray through its
centre and one from there to the lamp.

Shapes: H and W pixels, R = H W rays, S solids.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onlay_dense.rooms.scenes import CLASSES, Paint, Scene
from onlay_dense.rooms.solids import NEVER, Floats, cube_normals, slabs

VIEW = np.pi / 3
"""The camera's angle from top to bottom."""
SURROUNDINGS = 0.35
"""Share of the light that comes from everywhere."""
GRAIN = 0.02
"""Deviation of the noise of a pixel, of full brightness."""


class Rendered(NamedTuple):
    """What a camera sees."""

    picture: NDArray[np.uint8]
    """(H, W, 3)."""
    classes: NDArray[np.uint8]
    """(H, W), places in `CLASSES`."""
    depth: NDArray[np.float32]
    """(H, W), metres along the camera's axis, as depth cameras have it."""


def render(scene: Scene, height: int, width: int, random: np.random.Generator) -> Rendered:
    """Of pixels H by W, with noise from `random`."""
    directions = rays(scene, height, width)
    eye = np.array([0.0, scene.eye, 0.0])
    depth_R, thing_R = first_met(scene, eye, directions)
    points = eye + depth_R[:, None] * directions
    classes_R, normals = _surfaces(scene, points, thing_R)
    part_R = np.where(thing_R < 0, classes_R, 3 + thing_R)
    light_R = _lit(scene, points, normals)
    colours = _colours(scene, points, normals, part_R) * light_R[:, None]
    colours = colours + random.normal(0, GRAIN, colours.shape)
    size = height, width
    return Rendered(
        (255 * np.clip(colours, 0, 1)).round().astype(np.uint8).reshape(*size, 3),
        classes_R.astype(np.uint8).reshape(size),
        depth_R.astype(np.float32).reshape(size),
    )


def rays(scene: Scene, height: int, width: int) -> Floats:
    """Directions (R, 3) through the centres of pixels, whose length along the camera's axis is 1:
    the t at which one meets something is its depth."""
    focal = height / 2 / np.tan(VIEW / 2)
    x = (np.arange(width) + 0.5 - width / 2) / focal
    y = (height / 2 - np.arange(height) - 0.5) / focal
    flat = np.stack([*np.meshgrid(x, y), np.ones((height, width))], -1).reshape(-1, 3)
    (cp, sp), (cy, sy) = ((np.cos(a), np.sin(a)) for a in (scene.pitch, scene.yaw))
    up = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])  # of row vectors
    right = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    return flat @ up @ right


def first_met(
    scene: Scene, origins: Floats, directions: Floats
) -> tuple[Floats, NDArray[np.int64]]:
    """t, and which solid is met, -1 for the room."""
    _, far = slabs(origins - scene.room.centre, directions, scene.room.half)
    met = np.stack([far, *(solid.meet(origins, directions) for solid in scene.solids)])
    thing_R = met.argmin(0)
    return np.take_along_axis(met, thing_R[None], 0)[0], thing_R - 1


def _surfaces(
    scene: Scene, points: Floats, thing_R: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Floats]:
    """The class of each point, and its normal (R, 3)."""
    normals = -cube_normals((points - scene.room.centre) / scene.room.half)
    classes_R = np.full(len(points), CLASSES.index("wall"))
    classes_R[normals[:, 1] > 0.5] = CLASSES.index("floor")
    classes_R[normals[:, 1] < -0.5] = CLASSES.index("ceiling")
    for number, solid in enumerate(scene.solids):
        own = thing_R == number
        if own.any():
            normals[own] = solid.normals(points[own])
            classes_R[own] = CLASSES.index(solid.name)
    return classes_R, normals


def _lit(scene: Scene, points: Floats, normals: Floats) -> Floats:
    """How bright each point is, (R,): by the lamp's angle, and not in a shadow of it."""
    towards = scene.light - points
    away = np.linalg.norm(towards, axis=-1)
    angle_R = np.clip((normals * towards).sum(-1) / away, 0, 1)
    start = points + 1e-3 * normals
    between = [solid.meet(start, towards) for solid in scene.solids]
    dark_R = np.min(between, axis=0, initial=NEVER) < 1
    return SURROUNDINGS + (1 - SURROUNDINGS) * np.where(dark_R, 0, angle_R)


def _colours(scene: Scene, points: Floats, normals: Floats, part_R: NDArray[np.int64]) -> Floats:
    """(R, 3), in squares on the two axes that lie in the surface."""
    colours = np.zeros((len(points), 3))
    for number, paint in enumerate(scene.paints):
        own = part_R == number
        if own.any():
            colours[own] = _squares(points[own], normals[own], paint)
    return colours


def _squares(points: Floats, normals: Floats, paint: Paint) -> Floats:
    steps = np.floor(points / paint.side).astype(np.int64)
    through = np.abs(normals).argmax(-1)
    odd = (steps.sum(-1) - np.take_along_axis(steps, through[:, None], -1)[:, 0]) % 2
    return paint.colours[odd]
