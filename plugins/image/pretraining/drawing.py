"""What scenes are drawn with: capsules under a light, contours, noise, points, crops, backgrounds.

Coordinates: x to the right, y down, both in [-1, 1] over the image; z towards the viewer.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 72
"""Pixels on a side; training crops its 64-pixel inputs out of these."""

GRID_Y, GRID_X = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
PIXEL = 2 / SIDE
PHOTOGRAPHS = {
    "skimage.data": "astronaut chelsea coffee rocket ihc retina motorcycle_left brick grass gravel"
    " camera coins moon",
    "sklearn.datasets.images": "china flower",
}


def rotation(angle: np.ndarray) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def camera(
    starts: np.ndarray, ends: np.ndarray, shape: Generator, look: Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Turn in space (mostly in the image plane), scale, move."""
    yaw, pitch = shape.normal(0, 0.35, 2) + look.normal(0, 0.1, 2)
    roll = shape.normal(0, 0.25) + look.normal(0, 0.12)
    scale = shape.uniform(0.65, 1.1) * look.uniform(0.85, 1.15)
    turn = np.eye(3)
    for angle, axes in ((yaw, (0, 2)), (pitch, (1, 2)), (roll, (0, 1))):
        plane = np.eye(3)
        plane[np.ix_(axes, axes)] = rotation(np.float64(angle))
        turn = plane @ turn
    move = np.r_[shape.uniform(-0.15, 0.15, 2) + look.normal(0, 0.06, 2), 0]
    return starts @ turn.T * scale + move, ends @ turn.T * scale + move, scale


def capsules(
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


def contour(shape: Generator, x: float, y: float, size: float) -> np.ndarray:
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


def colour(rng: Generator, skin: bool) -> np.ndarray:
    if not skin:
        return rng.random(3)
    tone = rng.uniform(0.3, 1.0)
    return tone * np.array([1.0, rng.uniform(0.65, 0.85), rng.uniform(0.42, 0.75)])


def background(rng: Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.12:
        return coloured_noise(rng)
    if kind < 0.27:
        return gaussian_filter(crop(rng, np.zeros(3)), (rng.uniform(0, 2),) * 2 + (0,))
    base = rng.random(3) if rng.random() < 0.4 else rng.uniform(0.4, 0.95) + rng.normal(0, 0.04, 3)
    slope, fall = rng.normal(0, 0.12, 2), rng.uniform(0, 0.3)
    light = 1 + slope[0] * GRID_X + slope[1] * GRID_Y - fall * (GRID_X**2 + GRID_Y**2) / 2
    return base * light[..., None]


def coloured_noise(rng: Generator) -> np.ndarray:
    fy, fx = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    stretch = rng.uniform(1, 6) if rng.random() < 0.4 else 1.0
    c, s = np.cos(turn := rng.uniform(0, np.pi)), np.sin(turn)
    power = np.hypot(fx * c + fy * s, stretch * (fy * c - fx * s)) + 1 / SIDE
    field = rng.normal(size=(3, SIDE, SIDE)) + 1.5 * rng.normal(size=(1, SIDE, SIDE))
    field = np.fft.irfft2(np.fft.rfft2(field) / power ** rng.uniform(0.5, 2.2), s=(SIDE, SIDE))
    field = field / (field.std() + 1e-6)
    return (0.5 + rng.uniform(0.1, 0.25) * field).transpose(1, 2, 0)


def scatter(points: np.ndarray, look: Generator) -> np.ndarray:
    """Points (N, x y r g b) as a picture, fitted to the canvas, brighter where they are dense."""
    low, high = np.percentile(points[:, :2], [2, 98], axis=0)
    place = ((points[:, :2] - low) / (high - low + 1e-3) * 0.9 + 0.05) * SIDE
    inside = ((place >= 0) & (place < SIDE)).all(1)
    flat = place[inside].astype(int) @ [1, SIDE]
    count = np.bincount(flat, minlength=SIDE**2)
    sums = [np.bincount(flat, points[inside, 2 + c], SIDE**2) for c in range(3)]
    fill = np.stack(sums, -1) / np.maximum(count, 1)[:, None]
    cover = np.clip(np.log1p(count) / np.log(12), 0, 1)[:, None]
    under = background(look).reshape(-1, 3)
    return (under + (fill - under) * cover).reshape(SIDE, SIDE, 3)


def crop(shape: Generator, jitter: np.ndarray) -> np.ndarray:
    photo = photographs()[shape.integers(0, len(photographs()))]
    side = min(photo.size) * np.exp(shape.uniform(np.log(0.12), np.log(0.9)))
    x, y = shape.random(2) * (np.array(photo.size) - side)
    x, y = x + jitter[0] * side, y + jitter[1] * side
    side = side * np.exp(jitter[2])
    turned = photo.transform(
        (SIDE, SIDE), Image.Transform.EXTENT, (x, y, x + side, y + side), Image.Resampling.BILINEAR
    )
    return np.asarray(turned, np.float32) / 255


@cache
def photographs() -> list[Image.Image]:
    found = []
    for package, names in PHOTOGRAPHS.items():
        for name in names.split():
            endings = (files(package) / f"{name}.{ending}" for ending in ("png", "jpg"))
            image = Image.open(next(p for p in endings if p.is_file())).convert("RGB")
            image.thumbnail((320, 320))
            found.append(image)
    return found


def develop(scene: np.ndarray, look: Generator) -> np.ndarray:
    """Blur, gamma and sensor noise, then 8 bits."""
    if look.random() < 0.3:
        scene = gaussian_filter(scene, (look.uniform(0.3, 0.9),) * 2 + (0,))
    scene = np.clip(scene, 0, 1) ** np.exp(look.normal(0, 0.2))
    scene = scene + look.normal(0, look.uniform(0, 0.03), scene.shape)
    return (np.clip(scene, 0, 1) * 255).astype(np.uint8)
