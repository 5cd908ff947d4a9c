"""Images that anyone can make again: scenes drawn by arithmetic, and crops of sample photographs.

A *scene* fixes what is there (a posed hand, a creature, strokes, a fractal, a crop); a *view* fixes
how it looks (light, colours, background, camera, a small change of pose). Two views of one scene
are what a contrastive loss calls positives. `render(seed, scene, view)` depends on nothing but its
arguments. What is drawn with, and the coordinates, are in `drawing.py`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from drawing import (
    GRID_Y,
    background,
    camera,
    capsules,
    colour,
    coloured_noise,
    contour,
    crop,
    develop,
    rotation,
    scatter,
)
from numpy.random import Generator, default_rng
from scipy.ndimage import gaussian_filter, shift


def render(seed: int, scene: int, view: int) -> np.ndarray:
    """One view of one scene, (72, 72, 3) uint8."""
    shape, look = default_rng([seed, scene]), default_rng([seed, scene, view + 1])
    draw = shape.choice(list(KINDS), p=list(KINDS.values()))
    return develop(draw(shape, look), look)


def hand(shape: Generator, look: Generator) -> np.ndarray:
    """A palm with five jointed fingers, each straight, folded or between."""
    return _figure(_hand_bones(shape, look), shape, look, skin=look.random() < 0.7)


def creature(shape: Generator, look: Generator) -> np.ndarray:
    """A random tree of tapering limbs."""
    return _figure(_limb_bones(shape, look), shape, look, skin=look.random() < 0.3)


def strokes(shape: Generator, look: Generator) -> np.ndarray:
    """One to four pen strokes (cubic Bezier curves) of one width, mostly unshaded."""
    t = np.linspace(0, 1, 7)[:, None]
    powers = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    width = shape.uniform(0.03, 0.11) * look.uniform(0.8, 1.25)
    bones = []
    for _ in range(shape.integers(1, 5)):
        control = np.c_[shape.uniform(-0.75, 0.75, (4, 2)), np.zeros(4)]
        curve = powers @ (control + look.normal(0, 0.02, (4, 3)))
        bones += [(a, b, width, width) for a, b in pairwise(curve)]
    return _figure(bones, shape, look, skin=False, relief=look.uniform(0, 0.3))


def leaves(shape: Generator, look: Generator) -> np.ndarray:
    """Dead leaves: blobs and polygons, large to small, each hiding what lies under it."""
    canvas = background(shape)
    count = shape.integers(3, 30)
    tint = look.normal(0, 0.06, (count, 3))
    for i, size in enumerate(np.sort(shape.uniform(0.08, 0.8, count))[::-1]):
        centre = shape.uniform(-1, 1, 2) + look.normal(0, 0.015, 2)
        cover = contour(shape, *centre, size)[..., None]
        fill = shape.random(3) + tint[i] + shape.uniform(-0.3, 0.3) * GRID_Y[..., None]
        canvas = canvas * (1 - cover) + fill * cover
    return canvas


def fractal(shape: Generator, look: Generator) -> np.ndarray:
    """The attractor of an iterated function system, by the chaos game."""
    maps = shape.integers(2, 6)
    turn, squeeze = shape.uniform(-np.pi, np.pi, (2, maps)), shape.uniform(0.25, 0.85, (2, maps))
    turn = turn + look.normal(0, 0.03, turn.shape)
    matrix = np.einsum("ijn,jn,jkn->nik", rotation(turn[0]), squeeze, rotation(turn[1]))
    offset, colours = shape.uniform(-1, 1, (maps, 2)), look.random((maps, 3))
    point, seen = shape.uniform(-1, 1, (400, 2)), []
    for step in range(80):
        which = shape.integers(0, maps, 400)
        point = np.einsum("nij,nj->ni", matrix[which], point) + offset[which]
        if step > 15:
            seen.append(np.c_[point, colours[which]])
    return scatter(np.concatenate(seen), look)


def photograph(shape: Generator, look: Generator) -> np.ndarray:
    """A crop of a sample photograph; the camera moves a little between views."""
    return crop(shape, look.normal(0, 0.05, 3))


def noise(shape: Generator, look: Generator) -> np.ndarray:
    """Coloured noise with a power-law spectrum, at times stretched along one direction."""
    return coloured_noise(shape) + look.normal(0, 0.05, 3)


KINDS = {
    hand: 0.44,
    creature: 0.16,
    strokes: 0.1,
    leaves: 0.08,
    fractal: 0.05,
    photograph: 0.13,
    noise: 0.04,
}
"""Every kind of scene with its share."""


FINGERS = ((-0.25, -0.02, 0.9), (-0.08, -0.08, 1.0), (0.09, -0.06, 0.93), (0.24, 0.03, 0.75))
"""Where the four fingers begin (x, y), and their relative lengths."""


def _hand_bones(shape: Generator, look: Generator) -> list:
    """Capsules (start, end, start radius, end radius) of a hand that points up."""
    thick, reach = shape.uniform(0.07, 0.11), shape.uniform(0.85, 1.2)
    curl = np.where(shape.random(5) < 0.5, shape.beta(1, 8, 5), shape.beta(5, 1.5, 5))
    curl = np.clip(curl + look.normal(0, 0.04, 5), 0, 1.1)
    fan = shape.uniform(0.02, 0.2)
    wrist = np.array([0.0, 0.42, 0.0])
    bones = [(wrist, np.array([0.0, 1.9, -0.1]), 0.2, 0.24)]
    for i, (x, y, length) in enumerate(FINGERS):
        base = np.array([x, y, 0.0])
        bones.append((wrist + np.array([x * 0.5, -0.08, 0]), base, 0.15, 0.11))
        side = (i - 1.4) * fan + shape.normal(0, 0.05) + look.normal(0, 0.03)
        bones += _finger(base, side, curl[i] * np.array([1.3, 1.7, 1.1]), length * reach, thick)
    side = -0.75 + shape.normal(0, 0.2) + 1.3 * curl[4] + look.normal(0, 0.04)
    base = np.array([-0.17, 0.33, 0.05])
    lift = np.array([0.25 + 0.3 * curl[4], 0.3 * curl[4], 0.5 * curl[4]])
    return bones + _finger(base, side, lift, 1.15 * reach, thick * 1.2)


def _finger(base: np.ndarray, side: float, bend: np.ndarray, length: float, thick: float) -> list:
    bones, start = [], base
    pairs = zip(np.cumsum(bend), (0.27, 0.18, 0.13), (1.08, 0.98, 0.9), strict=True)
    for angle, part, girth in pairs:
        flat = np.cos(angle)
        step = np.array([np.sin(side) * flat, -np.cos(side) * flat, np.sin(angle)])
        end = start + step * part * length
        bones.append((start, end, thick * girth, thick * girth * 0.92))
        start = end
    return bones


def _limb_bones(shape: Generator, look: Generator) -> list:
    bones = [(np.zeros(3), shape.normal(0, 0.25, 3), *shape.uniform(0.08, 0.28, 2))]
    for _ in range(shape.integers(3, 14)):
        _, start, _, radius = bones[shape.integers(0, len(bones))]
        step = shape.normal(0, 1, 3) + look.normal(0, 0.08, 3)
        end = start + step / np.linalg.norm(step) * shape.uniform(0.15, 0.6)
        bones.append((start, end, radius * 0.9, radius * shape.uniform(0.5, 1.0)))
    return bones


def _figure(
    bones: list, shape: Generator, look: Generator, *, skin: bool, relief: float = 1.0
) -> np.ndarray:
    """Capsules under one light, in front of a background on which they cast a soft shadow."""
    starts, ends = (np.array([bone[i] for bone in bones]) for i in (0, 1))
    starts, ends, scale = camera(starts, ends, shape, look)
    cover, normal, part = capsules(starts, ends, np.array([bone[2:] for bone in bones]) * scale)
    light = look.normal(0, 1, 3) * [0.7, 0.7, 0.3] + [0, -0.3, 0.8]
    lambert = np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)
    ambient = look.uniform(0.35, 0.75)
    shade = 1 - relief * (1 - (ambient + (1 - ambient) * lambert))
    fill = colour(look, skin) + look.normal(0, 0.02, (len(bones), 3))[part]
    if look.random() < 0.4:
        fill = fill + look.uniform(0.05, 0.25) * (coloured_noise(look) - 0.5)
    under = background(look)
    cast = gaussian_filter(shift(cover, look.uniform(-6, 6, 2), order=0), look.uniform(1, 5))
    under = under * (1 - look.uniform(0, 0.5) * cast[..., None])
    return under + (fill * shade[..., None] - under) * cover[..., None]
