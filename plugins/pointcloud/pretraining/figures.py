"""People and animals out of capsules, in one pose or smeared over a short motion.

A sensor that gathers points over a second or so sees a limb wherever it has been.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from surfaces import limb, turn

ARM, LEG = 3, 3
"""Angles of one limb: forwards, sideways, and the bend of elbow or knee."""


def person(rng: Generator) -> list[ndarray]:
    """Standing, walking, crouching, reaching: any joint angles that bodies have."""
    build = _build(rng)
    start, end = _pose(rng), _pose(rng)
    end = start + rng.choice([0.0, 0.25, 1.0]) * (end - start)
    phases = np.linspace(0, 1, int(rng.integers(1, 5)))
    return [part for t in phases for part in _body(build, start + t * (end - start))]


def _build(rng: Generator) -> dict[str, float]:
    return {
        "torso": rng.uniform(0.45, 0.65),
        "shoulder": rng.uniform(0.16, 0.25),
        "hip": rng.uniform(0.09, 0.15),
        "arm": rng.uniform(0.25, 0.34),
        "leg": rng.uniform(0.38, 0.5),
        "girth": rng.uniform(0.04, 0.075),
        "head": rng.uniform(0.09, 0.13),
    }


def _pose(rng: Generator) -> ndarray:
    """Lean, then arms, then legs (right, left); at times both sides do the same, or opposites."""
    arms = rng.uniform([-0.8, -0.1, 0], [2.9, 2.8, 2.4], (2, ARM)) * rng.uniform(0.2, 1)
    legs = rng.uniform([-0.6, -0.05, 0], [1.3, 0.6, 1.6], (2, LEG)) * rng.uniform(0, 1)
    habit = rng.random(2)
    for limbs, how in zip((arms, legs), habit, strict=True):
        if how < 0.45:
            limbs[1] = limbs[0]
        elif how < 0.7:
            limbs[1] = limbs[0] * [-1, 1, 1]
    if rng.random() < 0.25:
        legs[:, 2] = 2 * np.abs(legs[:, 0])  # a squat: feet stay under the hips
    return np.concatenate([[rng.normal(0, 0.25)], arms.ravel(), legs.ravel()])


def _body(build: dict[str, float], pose: ndarray) -> list[ndarray]:
    arms, legs = pose[1:7].reshape(2, ARM), pose[7:].reshape(2, LEG)
    trunk = turn(pose[0], 1)
    neck = trunk @ [0, 0, build["torso"]]
    top = neck + trunk @ [0, 0, 1.6 * build["head"]]
    parts = [limb(np.zeros(3), neck, 2.1 * build["girth"]), limb(neck, top, build["head"])]
    for side, arm, leg in zip((-1, 1), arms, legs, strict=True):
        shoulder = neck + trunk @ [0, side * build["shoulder"], -0.04]
        hip = np.array([0, side * build["hip"], 0])
        parts += _jointed(shoulder, side, arm, build["arm"], build["girth"], bend=-1)
        parts += _jointed(hip, side, leg, build["leg"], 1.4 * build["girth"], bend=1)
    return parts


def _jointed(
    start: ndarray, side: int, angles: ndarray, length: float, girth: float, *, bend: int
) -> list[ndarray]:
    """Two segments that hang down at angles 0; forwards is +x."""
    upper = turn(side * angles[1], 0) @ turn(-angles[0], 1)
    middle = start + upper @ [0, 0, -length]
    end = middle + upper @ turn(bend * angles[2], 1) @ [0, 0, -length]
    return [limb(start, middle, girth, 0.8), limb(middle, end, 0.8 * girth, 0.75)]


def animal(rng: Generator) -> list[ndarray]:
    """A trunk on four jointed legs, with neck, head and tail."""
    length, girth = rng.uniform(0.6, 1.2), rng.uniform(0.1, 0.25)
    reach, front, back = rng.uniform(0.15, 0.5), np.array([length, 0, 0]), np.zeros(3)
    neck = front + turn(-rng.uniform(-0.2, 1.4), 1) @ [rng.uniform(0.1, 0.7), 0, 0]
    snout = neck + np.array([rng.uniform(0.1, 0.3), 0, rng.uniform(-0.15, 0.05)])
    tail = back - turn(rng.uniform(-1.2, 1.2), 1) @ [rng.uniform(0.1, 0.7), 0, 0]
    parts = [limb(back, front, girth, rng.uniform(0.7, 1.2)), limb(front, neck, 0.5 * girth)]
    parts += [limb(neck, snout, 0.5 * girth, 0.6), limb(back, tail, 0.15 * girth)]
    for place, side in ((front, -1), (front, 1), (back, -1), (back, 1)):
        angles = rng.uniform([-0.8, -0.1, -0.2], [0.8, 0.3, 1.2])
        hip = place + np.array([0, side * 0.7 * girth, -0.5 * girth])
        parts += _jointed(hip, side, angles, reach, rng.uniform(0.2, 0.4) * girth, bend=1)
    return parts
