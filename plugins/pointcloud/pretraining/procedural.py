"""Shapes that anyone can make again: solids, furniture, vessels, vehicles, plants, bodies.

`shape(seed, number)` depends on nothing but its arguments. What a sensor does to a shape is in
`sensor.py`; what surfaces are, in `surfaces.py`.
"""

from __future__ import annotations

import numpy as np
from figures import animal, person
from numpy import ndarray
from numpy.random import Generator, default_rng
from surfaces import box, extrude, limb, revolve, sample, superquadric, torus, tube, turn

POINTS = 2048


def shape(seed: int, number: int, families: tuple[str, ...] = ()) -> ndarray:
    """(2048, 3) float16, uniform on the surface, centred, in the unit sphere; z is up. Of these
    kinds alone, in their shares, where some are named."""
    rng = default_rng([seed, number])
    kinds = {kind: share for kind, share in KINDS.items() if kind.__name__ in families} or KINDS
    draw = rng.choice(list(kinds), p=np.array(list(kinds.values())) / sum(kinds.values()))
    grids = draw(rng)
    if rng.random() < 0.3:
        grids = [grid * rng.uniform(0.6, 1.5, 3) for grid in grids]
    points = sample(grids, POINTS, rng)
    points = points - points.mean(0)
    return (points / np.linalg.norm(points, axis=1).max()).astype(np.float16)


def solid(rng: Generator) -> list[ndarray]:
    """One of: box, cylinder, cone, torus, superquadric, dome, prism."""
    size, height = rng.uniform(0.2, 1, 3), rng.uniform(0.2, 2)
    makers = (
        lambda: box(size),
        lambda: [revolve(np.array([0, size[0], size[0], 0]), np.array([0, 0, height, height]))],
        lambda: [
            revolve(np.array([0, size[0], size[1] * 0.5, 0]), np.array([0, 0, height, height]))
        ],
        lambda: [torus(size[0], rng.uniform(0.1, 0.9) * size[0])],
        lambda: [superquadric(size, rng.uniform(0.2, 2.2, 2))],
        lambda: [superquadric(size, np.ones(2))[8:]],
        lambda: extrude(_outline(rng), height),
    )
    return makers[rng.integers(len(makers))]()


def _outline(rng: Generator) -> ndarray:
    """A polygon, a star or a wavy curve around the origin."""
    corners = int(rng.integers(3, 12))
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = rng.uniform(0.3, 1, corners) if rng.random() < 0.6 else np.ones(corners)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def vessel(rng: Generator) -> list[ndarray]:
    """A smooth random profile about the z axis, open or closed, at times with handles."""
    knots = rng.uniform(0.15, 0.7, int(rng.integers(3, 7)))
    along = np.linspace(0, 1, 20)
    radii = np.interp(along, np.linspace(0, 1, len(knots)), knots)
    radii = np.convolve(np.pad(radii, 2, mode="edge"), np.ones(5) / 5, "valid")
    heights = along * rng.uniform(0.5, 2.5)
    lid = [0.0] if rng.random() < 0.5 else []
    body = revolve(np.r_[0, radii, lid], np.r_[0, heights, heights[-1:] if lid else []])
    bow = np.linspace(-1.4, 1.4, 8)
    reach, low, high = rng.uniform(0.2, 0.5), heights[5], heights[14]
    x = radii[10] + reach * np.cos(bow) - 0.1
    path = np.stack([x, np.zeros(8), (low + high) / 2 + (high - low) / 2 * np.sin(bow)], 1)
    handle = tube(path, np.full(8, rng.uniform(0.03, 0.08)))
    count = int(rng.integers(0, 3))
    return [body, *(handle @ turn(np.pi * i, 2).T for i in range(count))]


def cable(rng: Generator) -> list[ndarray]:
    """One to four tubes along smooth random walks."""
    paths = []
    for _ in range(rng.integers(1, 5)):
        walk = np.cumsum(np.cumsum(rng.normal(0, 0.12, (14, 3)), 0) + rng.normal(0, 0.3, 3), 0)
        radii = rng.uniform(0.08, 0.5) * np.linspace(1, rng.uniform(0.3, 1), 14)
        paths.append(tube(walk + rng.normal(0, 1, 3), radii))
    return paths


def table(rng: Generator) -> list[ndarray]:
    """A top on legs or on one foot, with or without a back, arms and shelves: tables, chairs,
    stools, racks.
    """
    wide, deep, high = rng.uniform(0.4, 1.6), rng.uniform(0.4, 1), rng.uniform(0.3, 1.1)
    thick, leg = rng.uniform(0.03, 0.15), rng.uniform(0.02, 0.07)
    parts = box(np.array([wide, deep, thick]), np.array([0, 0, high]))
    x, y = wide / 2 - leg, deep / 2 - leg
    if rng.random() < 0.75:
        for place in ((x, y), (x, -y), (-x, y), (-x, -y)):
            parts.append(limb(np.array([*place, high]), np.array([*place, 0]), leg))
    else:
        parts.append(limb(np.array([0, 0, high]), np.zeros(3), 2 * leg))
        parts += box(np.array([wide * 0.6, deep * 0.6, thick]))
    if rng.random() < 0.5:
        back = rng.uniform(0.3, 1)
        parts += box(np.array([thick, deep, back]), np.array([-wide / 2, 0, high + back / 2]))
        if rng.random() < 0.4:
            for side in (-1, 1):
                rest = np.array([0, side * deep / 2, high + 0.25])
                parts += box(np.array([wide, thick, 2 * leg]), rest)
    for level in range(int(rng.integers(0, 3)) if rng.random() < 0.4 else 0):
        parts += box(np.array([wide, deep, thick]), np.array([0, 0, high * level / 3]))
    return parts


def lamp(rng: Generator) -> list[ndarray]:
    """A foot, a straight or bowed stem, and a shade."""
    high, foot = rng.uniform(0.6, 2), rng.uniform(0.2, 0.5)
    bow = np.linspace(0, rng.uniform(0, 1.8), 8)
    stem = np.stack(
        [rng.uniform(0, 0.8) * (1 - np.cos(bow)), 0 * bow, high * bow / bow.max(initial=0.1)], 1
    )
    stem[:, 2] = np.linspace(0, high, 8)
    wide, narrow, tall = rng.uniform(0.2, 0.6), rng.uniform(0.05, 0.4), rng.uniform(0.2, 0.6)
    shade = revolve(np.array([wide, narrow, 0]), np.array([-tall, 0, 0])) + stem[-1]
    base = revolve(np.array([0, foot, foot, 0]), np.array([0, 0, 0.08, 0.1]))
    return [base, tube(stem, np.full(8, rng.uniform(0.02, 0.06))), shade]


def vehicle(rng: Generator) -> list[ndarray]:
    """A car, van or lorry: hull, cabin, wheels."""
    long, wide, high = rng.uniform(1.2, 2.6), rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.7)
    cabin = np.array([long * rng.uniform(0.25, 0.9), wide * 0.95, rng.uniform(0.2, 0.7)])
    middle = np.array([rng.uniform(-0.5, 0.5) * (long - cabin[0]), 0, (high + cabin[2]) / 2])
    top = superquadric(cabin / 2, rng.uniform(0.15, 0.5, 2)) + middle
    parts = [*box(np.array([long, wide, high])), top]
    radius, thick = rng.uniform(0.12, 0.25), rng.uniform(0.05, 0.15)
    wheel = revolve(np.array([0, radius, radius, 0]), np.array([-thick, -thick, thick, thick]))
    wheel = wheel @ turn(np.pi / 2, 0).T
    for x in np.linspace(-0.35, 0.35, int(rng.integers(2, 4))) * long:
        parts += [wheel + np.array([x, side * wide / 2, -high / 2]) for side in (-1, 1)]
    return parts


def aeroplane(rng: Generator) -> list[ndarray]:
    """A fuselage with wings and a tail."""
    girth, span = rng.uniform(0.08, 0.2), rng.uniform(0.5, 1.3)
    parts = [superquadric(np.array([1, girth, girth]), np.ones(2))]
    for place, size in ((rng.uniform(-0.2, 0.3), 1.0), (-0.85, rng.uniform(0.25, 0.5))):
        chord, sweep = rng.uniform(0.15, 0.4) * size, rng.uniform(0, 0.6) * size
        for side in (-1, 1):
            root = np.array([[place, 0, 0], [place - chord, 0, 0]])
            tip = np.array([[0, side, 0.1], [0.4 * chord, side, 0.1]]) * span * size
            parts.append(np.stack([root, root + tip - [sweep, 0, 0]]))
    fin = np.array([[-0.7, 0, 0], [-1, 0, 0]])
    return [*parts, np.stack([fin, fin + np.array([-0.15, 0, rng.uniform(0.2, 0.5)])])]


def plant(rng: Generator) -> list[ndarray]:
    """A random tree of tapering limbs."""
    ends = [(np.zeros(3), np.array([0, 0, rng.uniform(0.4, 1)]), rng.uniform(0.04, 0.15))]
    for _ in range(int(rng.integers(4, 22))):
        _, start, girth = ends[rng.integers(0, len(ends))]
        step = rng.normal(0, 1, 3) + np.array([0, 0, 0.5])
        step = step / np.linalg.norm(step) * rng.uniform(0.15, 0.6)
        ends.append((start, start + step, girth * rng.uniform(0.5, 0.9)))
    return [limb(start, end, girth, 0.8) for start, end, girth in ends]


def pile(rng: Generator) -> list[ndarray]:
    """Two to six solids, turned and put beside or upon each other."""
    parts = []
    for _ in range(rng.integers(2, 7)):
        spin = turn(rng.uniform(0, 2 * np.pi), int(rng.integers(3))) * rng.uniform(0.3, 1)
        move = rng.normal(0, 0.6, 3)
        parts += [grid @ spin.T + move for grid in solid(rng)]
    return parts


KINDS = {
    person: 0.34,
    animal: 0.1,
    solid: 0.14,
    vessel: 0.07,
    cable: 0.06,
    table: 0.08,
    lamp: 0.03,
    vehicle: 0.05,
    aeroplane: 0.03,
    plant: 0.05,
    pile: 0.05,
}
"""Every kind of shape with its share."""
