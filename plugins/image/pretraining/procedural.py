"""Images that anyone can make again: scenes drawn by arithmetic, and crops of wheels' sample photographs.

A *scene* fixes what is there (a posed hand, a creature, strokes, a fractal, a crop); a *view* fixes how
it looks (light, colours, background, camera, a small change of pose). Two views of one scene are what a
contrastive loss calls positives. `render(seed, scene, view)` depends on nothing but its arguments.

Coordinates: x to the right, y down, both in [-1, 1] over the image; z towards the viewer.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

SIDE = 72
"""Pixels on a side; training crops its 64-pixel inputs out of these."""

GRID_Y, GRID_X = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
PIXEL = 2 / SIDE
PHOTOGRAPHS = {
    "skimage.data": "astronaut chelsea coffee rocket ihc retina motorcycle_left brick grass gravel"
    " camera coins moon",
    "sklearn.datasets.images": "china flower",
}


def render(seed: int, scene: int, view: int) -> np.ndarray:
    """One view of one scene, (72, 72, 3) uint8."""
    shape, look = default_rng([seed, scene]), default_rng([seed, scene, view + 1])
    draw = shape.choice(list(KINDS), p=list(KINDS.values()))
    return _develop(draw(shape, look), look)


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
        bones += [(a, b, width, width) for a, b in zip(curve[:-1], curve[1:], strict=True)]
    return _figure(bones, shape, look, skin=False, relief=look.uniform(0, 0.3))


def leaves(shape: Generator, look: Generator) -> np.ndarray:
    """Dead leaves: blobs and polygons, large to small, each hiding what lies under it."""
    canvas = _background(shape)
    count = shape.integers(3, 30)
    tint = look.normal(0, 0.06, (count, 3))
    for i, size in enumerate(np.sort(shape.uniform(0.08, 0.8, count))[::-1]):
        centre = shape.uniform(-1, 1, 2) + look.normal(0, 0.015, 2)
        cover = _contour(shape, *centre, size)[..., None]
        fill = shape.random(3) + tint[i] + shape.uniform(-0.3, 0.3) * GRID_Y[..., None]
        canvas = canvas * (1 - cover) + fill * cover
    return canvas


def fractal(shape: Generator, look: Generator) -> np.ndarray:
    """The attractor of an iterated function system, by the chaos game."""
    maps = shape.integers(2, 6)
    turn, squeeze = shape.uniform(-np.pi, np.pi, (2, maps)), shape.uniform(0.25, 0.85, (2, maps))
    turn = turn + look.normal(0, 0.03, turn.shape)
    matrix = np.einsum("ijn,jn,jkn->nik", _rotation(turn[0]), squeeze, _rotation(turn[1]))
    offset, colours = shape.uniform(-1, 1, (maps, 2)), look.random((maps, 3))
    point, seen = shape.uniform(-1, 1, (400, 2)), []
    for step in range(80):
        which = shape.integers(0, maps, 400)
        point = np.einsum("nij,nj->ni", matrix[which], point) + offset[which]
        if step > 15:
            seen.append(np.c_[point, colours[which]])
    return _scatter(np.concatenate(seen), look)


def photograph(shape: Generator, look: Generator) -> np.ndarray:
    """A crop of a sample photograph; the camera moves a little between views."""
    return _crop(shape, look.normal(0, 0.05, 3))


def noise(shape: Generator, look: Generator) -> np.ndarray:
    """Coloured noise with a power-law spectrum, at times stretched along one direction."""
    return _noise(shape) + look.normal(0, 0.05, 3)


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


def _rotation(angle: np.ndarray) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _hand_bones(shape: Generator, look: Generator) -> list:
    """Capsules (start, end, start radius, end radius) of a hand that points up."""
    thick, reach = shape.uniform(0.07, 0.11), shape.uniform(0.85, 1.2)
    curl = np.where(shape.random(5) < 0.5, shape.beta(1, 8, 5), shape.beta(5, 1.5, 5))
    curl = np.clip(curl + look.normal(0, 0.04, 5), 0, 1.1)
    fan = shape.uniform(0.02, 0.2)
    wrist = np.array([0.0, 0.42, 0.0])
    bones = [(wrist, np.array([0.0, 1.9, -0.1]), 0.2, 0.24)]
    for i, (x, y, length) in enumerate([(-0.25, -0.02, 0.9), (-0.08, -0.08, 1.0), (0.09, -0.06, 0.93), (0.24, 0.03, 0.75)]):
        base = np.array([x, y, 0.0])
        bones.append((wrist + [x * 0.5, -0.08, 0], base, 0.15, 0.11))
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
    starts, ends, scale = _camera(starts, ends, shape, look)
    cover, normal, part = _capsules(starts, ends, np.array([bone[2:] for bone in bones]) * scale)
    light = look.normal(0, 1, 3) * [0.7, 0.7, 0.3] + [0, -0.3, 0.8]
    lambert = np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)
    ambient = look.uniform(0.35, 0.75)
    shade = 1 - relief * (1 - (ambient + (1 - ambient) * lambert))
    fill = _colour(look, skin) + look.normal(0, 0.02, (len(bones), 3))[part]
    if look.random() < 0.4:
        fill = fill + look.uniform(0.05, 0.25) * (_noise(look) - 0.5)
    under = _background(look)
    cast = gaussian_filter(shift(cover, look.uniform(-6, 6, 2), order=0), look.uniform(1, 5))
    under = under * (1 - look.uniform(0, 0.5) * cast[..., None])
    return under + (fill * shade[..., None] - under) * cover[..., None]


def _camera(
    starts: np.ndarray, ends: np.ndarray, shape: Generator, look: Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Turn in space (mostly in the image plane), scale, move."""
    yaw, pitch = shape.normal(0, 0.35, 2) + look.normal(0, 0.1, 2)
    roll = shape.normal(0, 0.25) + look.normal(0, 0.12)
    scale = shape.uniform(0.65, 1.1) * look.uniform(0.85, 1.15)
    turn = np.eye(3)
    for angle, axes in ((yaw, (0, 2)), (pitch, (1, 2)), (roll, (0, 1))):
        plane = np.eye(3)
        plane[np.ix_(axes, axes)] = _rotation(np.float64(angle))
        turn = plane @ turn
    move = np.r_[shape.uniform(-0.15, 0.15, 2) + look.normal(0, 0.06, 2), 0]
    return starts @ turn.T * scale + move, ends @ turn.T * scale + move, scale


def _capsules(
    starts: np.ndarray, ends: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cover (H, W) in [0, 1], normals (H, W, 3) and the index (H, W) of the foremost capsule."""
    a, axis = starts.astype(np.float32), (ends - starts).astype(np.float32)
    radii = radii.astype(np.float32)
    dx = GRID_X - a[:, 0, None, None]
    dy = GRID_Y - a[:, 1, None, None]
    ax, ay, az = (axis[:, i, None, None] for i in range(3))
    t = np.clip((dx * ax + dy * ay) / (ax**2 + ay**2 + 1e-6), 0, 1)
    dx, dy = dx - t * ax, dy - t * ay
    radius = radii[:, 0, None, None] + t * (radii[:, 1] - radii[:, 0])[:, None, None]
    distance = np.sqrt(dx**2 + dy**2)
    bulge = np.sqrt(np.clip(radius**2 - distance**2, 0, None))
    height = np.where(distance < radius + PIXEL, a[:, 2, None, None] + t * az + bulge, -9)
    front = height.argmax(0)[None]
    pick = [np.take_along_axis(v, front, 0)[0] for v in (dx, dy, bulge, radius)]
    normal = np.stack(pick[:3], -1) / pick[3][..., None]
    cover = np.clip((radius - distance) / PIXEL + 0.5, 0, 1).max(0)
    return cover, normal, front[0]


def _contour(shape: Generator, x: float, y: float, size: float) -> np.ndarray:
    """Cover (H, W) of a star-shaped blob (Fourier radius) or of a polygon."""
    angle, distance = np.arctan2(GRID_Y - y, GRID_X - x), np.hypot(GRID_X - x, GRID_Y - y)
    phase, corners = shape.uniform(0, 2 * np.pi, 4), shape.integers(3, 9)
    if shape.random() < 0.5:
        radius = size * np.cos(np.pi / corners)
        radius = radius / np.cos((angle + phase[0]) % (2 * np.pi / corners) - np.pi / corners)
    else:
        waves = shape.normal(0, 0.18, 4) / np.arange(1, 5) ** 0.5
        radius = size * (1 + sum(waves[k] * np.cos((k + 1) * angle + phase[k]) for k in range(4)))
    return np.clip((radius - distance) / PIXEL + 0.5, 0, 1)


def _colour(rng: Generator, skin: bool) -> np.ndarray:
    if not skin:
        return rng.random(3)
    tone = rng.uniform(0.3, 1.0)
    return tone * np.array([1.0, rng.uniform(0.65, 0.85), rng.uniform(0.42, 0.75)])


def _background(rng: Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.12:
        return _noise(rng)
    if kind < 0.27:
        return gaussian_filter(_crop(rng, np.zeros(3)), (rng.uniform(0, 2),) * 2 + (0,))
    base = rng.random(3) if rng.random() < 0.4 else rng.uniform(0.4, 0.95) + rng.normal(0, 0.04, 3)
    slope, fall = rng.normal(0, 0.12, 2), rng.uniform(0, 0.3)
    light = 1 + slope[0] * GRID_X + slope[1] * GRID_Y - fall * (GRID_X**2 + GRID_Y**2) / 2
    return base * light[..., None]


def _noise(rng: Generator) -> np.ndarray:
    fy, fx = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    stretch = rng.uniform(1, 6) if rng.random() < 0.4 else 1.0
    c, s = np.cos(turn := rng.uniform(0, np.pi)), np.sin(turn)
    power = np.hypot(fx * c + fy * s, stretch * (fy * c - fx * s)) + 1 / SIDE
    field = rng.normal(size=(3, SIDE, SIDE)) + 1.5 * rng.normal(size=(1, SIDE, SIDE))
    field = np.fft.irfft2(np.fft.rfft2(field) / power ** rng.uniform(0.5, 2.2), s=(SIDE, SIDE))
    field = field / (field.std() + 1e-6)
    return (0.5 + rng.uniform(0.1, 0.25) * field).transpose(1, 2, 0)


def _scatter(points: np.ndarray, look: Generator) -> np.ndarray:
    """Points (N, x y r g b) as a picture, fitted to the canvas, brighter where they are dense."""
    low, high = np.percentile(points[:, :2], [2, 98], axis=0)
    place = ((points[:, :2] - low) / (high - low + 1e-3) * 0.9 + 0.05) * SIDE
    inside = ((place >= 0) & (place < SIDE)).all(1)
    flat = place[inside].astype(int) @ [1, SIDE]
    count = np.bincount(flat, minlength=SIDE**2)
    sums = [np.bincount(flat, points[inside, 2 + c], SIDE**2) for c in range(3)]
    colour = np.stack(sums, -1) / np.maximum(count, 1)[:, None]
    cover = np.clip(np.log1p(count) / np.log(12), 0, 1)[:, None]
    under = _background(look).reshape(-1, 3)
    return (under + (colour - under) * cover).reshape(SIDE, SIDE, 3)


def _crop(shape: Generator, jitter: np.ndarray) -> np.ndarray:
    photo = _photographs()[shape.integers(0, len(_photographs()))]
    side = min(photo.size) * np.exp(shape.uniform(np.log(0.12), np.log(0.9)))
    x, y = shape.random(2) * (np.array(photo.size) - side)
    x, y = x + jitter[0] * side, y + jitter[1] * side
    side = side * np.exp(jitter[2])
    turned = photo.transform((SIDE, SIDE), Image.Transform.EXTENT, (x, y, x + side, y + side), Image.Resampling.BILINEAR)
    return np.asarray(turned, np.float32) / 255


@cache
def _photographs() -> list[Image.Image]:
    found = []
    for package, names in PHOTOGRAPHS.items():
        for name in names.split():
            path = next(p for e in ("png", "jpg") if (p := files(package) / f"{name}.{e}").is_file())
            image = Image.open(path).convert("RGB")
            image.thumbnail((320, 320))
            found.append(image)
    return found


def _develop(scene: np.ndarray, look: Generator) -> np.ndarray:
    """Blur, gamma and sensor noise, then 8 bits."""
    if look.random() < 0.3:
        scene = gaussian_filter(scene, (look.uniform(0.3, 0.9),) * 2 + (0,))
    scene = np.clip(scene, 0, 1) ** np.exp(look.normal(0, 0.2))
    scene = scene + look.normal(0, look.uniform(0, 0.03), scene.shape)
    return (np.clip(scene, 0, 1) * 255).astype(np.uint8)
