"""Generated everyday objects as a sensor might see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onlay.data import Splits
from onlay.reading.listing import Item, Listing
from onlay_pointcloud.data.config import ShapesConfig
from onlay_pointcloud.data.generated.objects import OBJECTS
from onlay_pointcloud.data.generated.surfaces import Random, spread
from onlay_pointcloud.data.splits import make_splits

POINTS = 2048

_PARTS = ("train", "val", "test")


def build(config: ShapesConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Clouds of 2,048 points, or of as many as are shown where that is more; every kind equally
    often in each part."""
    count = max(POINTS, config.preprocess.npoints or input_spec["npoints"])
    parts = [
        [_item(config.shapes_seed, part, index, count) for index in range(size)]
        for part, size in zip(
            _PARTS, (config.train_size, config.val_size, config.test_size), strict=True
        )
    ]
    return make_splits(Listing(parts[0], parts[1], parts[2]), config, input_spec, tuple(OBJECTS))


def _item(seed: int, part: str, index: int, count: int) -> Item:
    kind = list(OBJECTS)[index % len(OBJECTS)]
    random = np.random.default_rng([seed, _PARTS.index(part), index])
    return Item(seen(kind, random, count), kind, f"shapes/{seed}/{part}/{index}")


def seen(kind: str, random: Random, count: int) -> np.ndarray:
    """An object (count, 3) float32 of the size of the unit sphere, roughly: stretched, turned about
    the vertical and tilted a little, cut off on one side, noisy, with some points of nothing."""
    whole = spread(OBJECTS[kind](random), random, 2 * count)
    whole = (whole - whole.mean(0)) * random.uniform(0.8, 1.25, 3)
    points = whole @ _turned(random)
    points = points / np.linalg.norm(points, axis=1).max()
    points = _in_view(points, random)[:count]
    points = points + random.normal(scale=random.uniform(0.0, 0.04), size=points.shape)
    stray = random.random(count) < random.uniform(0, 0.05)
    points[stray] = random.uniform(-0.8, 0.8, (stray.sum(), 3))
    return points.astype(np.float32)


def _turned(random: Random) -> np.ndarray:
    """Any angle about y, and up to about 10 degrees about x."""
    (c, d), (s, t) = (f(random.uniform([0, -0.17], [2 * np.pi, 0.17])) for f in (np.cos, np.sin))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.array(
        [[1, 0, 0], [0, d, t], [0, -t, d]]
    )


def _in_view(points: np.ndarray, random: Random) -> np.ndarray:
    """Up to half of the points, those farthest in a random direction, are hidden."""
    direction = random.normal(size=3)
    depth = points @ (direction / np.linalg.norm(direction))
    return points[depth <= np.quantile(depth, random.uniform(0.5, 1.0))]
