"""Ten kinds of everyday objects, each with proportions that vary; y is up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onlay_pointcloud.data.generated.surfaces import (
    Random,
    Surface,
    box,
    lathe,
    moved,
    quad,
    rod,
    tube,
)

Object = list[Surface]


def airplane(random: Random) -> Object:
    thick, span, sweep = (random.uniform(*r) for r in ((0.08, 0.16), (0.6, 1.1), (0.0, 0.4)))
    tail, chord = random.uniform(0.15, 0.35), random.uniform(0.2, 0.4)
    body = lathe([(0, -1), (thick * 0.6, -0.8), (thick, -0.3), (thick, 0.7), (0, 1)])
    wings = [quad((0.1, 0, 0), (-sweep, 0, side * span), (-chord, 0, 0)) for side in (-1, 1)] + [
        quad((-0.75, 0, 0), (-sweep / 2, 0, s * span * 0.4), (-chord / 2, 0, 0)) for s in (-1, 1)
    ]
    fin = quad((-0.7, 0, 0), (-0.2, thick + tail, 0), (-chord / 2, 0, 0))
    return [*(moved(part, lambda p: p[:, [1, 0, 2]]) for part in body), *wings, fin]


def bottle(random: Random) -> Object:
    wide, neck = random.uniform(0.25, 0.45), random.uniform(0.08, 0.16)
    body, shoulder, top = np.cumsum(
        [random.uniform(0.7, 1.2), random.uniform(0.1, 0.5), random.uniform(0.2, 0.5)]
    )
    squash = random.choice([1.0, random.uniform(0.5, 1.0)])
    return lathe([(0, 0), (wide, 0), (wide, body), (neck, shoulder), (neck, top), (0, top)], squash)


def bowl(random: Random) -> Object:
    deep, foot = random.uniform(0.35, 0.9), random.uniform(0.2, 0.5)
    curve = random.uniform(1.2, 3.0)
    heights = np.linspace(0, 1, 8)
    wall = [(foot + (1 - foot) * h ** (1 / curve), deep * h) for h in heights]
    return lathe([(0, 0), *wall])


def chair(random: Random) -> Object:
    wide, deep, high = random.uniform(0.7, 1.0), random.uniform(0.7, 1.0), random.uniform(0.6, 1.0)
    back = random.uniform(0.5, 1.2)
    seat = box((0, high, 0), (wide, 0.08, deep))
    rest = box((0, high + back / 2, -deep / 2), (wide, back, 0.06))
    arms: Object = []
    if random.random() < 0.4:
        for side in (-1, 1):
            arms += box((side * wide / 2, high + 0.3, 0), (0.08, 0.06, deep))
            arms.append(
                rod((side * wide / 2, high, deep / 2.2), (side * wide / 2, high + 0.3, 0), 0.03)
            )
    return [*seat, *rest, *arms, *_legs(random, wide, deep, high)]


def hat(random: Random) -> Object:
    brim, high = random.uniform(0.9, 1.6), random.uniform(0.4, 1.0)
    top, droop = random.uniform(0.3, 0.62), random.uniform(-0.15, 0.15)
    crown = [
        (0.6, 0.0),
        (0.6 * 0.5 + top * 0.5, high * 0.7),
        (top, high),
        (0, high * random.uniform(0.9, 1.1)),
    ]
    return lathe([(brim, droop), *crown], random.uniform(0.75, 1.0))


def lamp(random: Random) -> Object:
    high, base = random.uniform(0.7, 1.6), random.uniform(0.25, 0.5)
    wide, narrow, tall = (
        random.uniform(0.4, 0.7),
        random.uniform(0.15, 0.4),
        random.uniform(0.3, 0.6),
    )
    foot = lathe([(0, 0), (base, 0), (base, 0.06), (0.04, 0.12)])
    shade = lathe([(wide, high), (narrow, high + tall)])
    return [*foot, rod((0, 0.1, 0), (0, high + tall * 0.8, 0), 0.04), *shade]


def mug(random: Random) -> Object:
    wide, high = random.uniform(0.4, 0.6), random.uniform(0.7, 1.3)
    taper, reach = random.uniform(0.75, 1.05), random.uniform(0.2, 0.4)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 9)
    ring = np.stack(
        [reach * np.cos(angle) + 0.97 * wide, high * (0.5 + 0.3 * np.sin(angle)), 0 * angle], 1
    )
    return [
        *lathe([(0, 0), (wide * taper, 0), (wide, high)]),
        tube(ring, random.uniform(0.04, 0.07)),
    ]


def sofa(random: Random) -> Object:
    wide, deep = random.uniform(1.4, 2.2), random.uniform(0.7, 0.9)
    high, back, arm = random.uniform(0.3, 0.5), random.uniform(0.35, 0.6), random.uniform(0.12, 0.3)
    parts = box((0, high / 2, 0), (wide, high, deep))
    parts += box((0, high / 2 + back / 2, -deep / 2), (wide, high + back, 0.2))
    for side in (-1, 1):
        parts += box((side * wide / 2, high * 0.75, 0), (arm, high * 1.5, deep))
    return parts


def stool(random: Random) -> Object:
    wide, high = random.uniform(0.5, 0.9), random.uniform(0.6, 1.3)
    return [*_top(random, wide, wide, high), *_legs(random, wide * 0.8, wide * 0.8, high)]


def table(random: Random) -> Object:
    wide, deep, high = random.uniform(1.0, 2.0), random.uniform(0.8, 1.2), random.uniform(0.5, 0.9)
    top = _top(random, wide, deep, high)
    if random.random() < 0.3:
        foot = lathe([(0, 0), (0.3 * deep, 0), (0.06, 0.08)])
        return [*top, *foot, rod((0, 0, 0), (0, high, 0), 0.06)]
    return [*top, *_legs(random, wide * 0.9, deep * 0.9, high)]


def _top(random: Random, wide: float, deep: float, high: float) -> Object:
    """A round or a square board."""
    thick = random.uniform(0.04, 0.12)
    if random.random() < 0.4:
        edge = [(0, high - thick), (wide / 2, high - thick), (wide / 2, high), (0, high)]
        return lathe(edge, deep / wide)
    return box((0, high - thick / 2, 0), (wide, thick, deep))


def _legs(random: Random, wide: float, deep: float, high: float) -> Object:
    """Four legs, spread a little towards the floor."""
    spread, thick = random.uniform(1.0, 1.2), random.uniform(0.025, 0.05)
    corners = [(x * wide / 2, z * deep / 2) for x in (-1, 1) for z in (-1, 1)]
    return [rod((x, high, z), (x * spread, 0, z * spread), thick) for x, z in corners]


OBJECTS: dict[str, Callable[[Random], Object]] = {
    make.__name__: make
    for make in (airplane, bottle, bowl, chair, hat, lamp, mug, sofa, stool, table)
}
"""Makers by the name of what they make."""
