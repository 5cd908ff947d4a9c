"""Generated pictures of stained tissue: nuclei with a texture, on a noisy ground with debris.

Shapes: H and W pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onlay.data import Splits
from onlay_dense.generated.config import CellsConfig
from onlay_image.data.located import Located
from onlay_image.data.preprocess import resolve

LABELS = ("background", "nucleus")
PARTS = ("train", "val", "test")
APART = 400
"""Square pixels of ground for each body."""
DEBRIS = 0.35
"""Share of the bodies that are no nuclei: as dark, without texture and with a soft edge."""

Random = np.random.Generator
Picture = tuple[np.ndarray, Tensor]


def build(config: CellsConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """Pictures (side, side, 3) of bytes, and the class of each pixel."""
    facts = resolve(config.preprocess, input_spec)
    sizes = (config.train_size, config.val_size, config.test_size)
    train, val, test = (
        [picture(config.cells_seed, part, index, config.side) for index in range(size)]
        for part, size in enumerate(sizes)
    )
    same = repr((config.cells_seed, sizes, config.side)).encode()
    own = _part(train, facts, config.preprocess)
    return Splits(
        train=own,
        validation=_part(val, facts) if val else None,
        test=_part(test, facts),
        labels=LABELS,
        targets="mask",
        preprocessing=facts,
        digest=hashlib.sha256(same).hexdigest(),
    )


def _part(pictures: list[Picture], facts: Mapping[str, Any], *chance: Any) -> Located:
    return Located([p for p, _ in pictures], [mask for _, mask in pictures], facts, *chance)


def picture(seed: int, part: int, index: int, side: int) -> Picture:
    """One of them, bytes (H, W, 3), and 0 or 1 (H, W), always the same."""
    random = np.random.default_rng([seed, part, index])
    ground = _smooth(random, side, 12) + 0.5 * _smooth(random, side, 3)
    dark, mask = np.zeros((side, side)), np.zeros((side, side), bool)
    for _ in range(random.poisson(side**2 / APART)):
        body = _ellipse(random, side)
        if random.random() < DEBRIS:
            dark = np.maximum(dark, 0.7 * _blurred(body, 2.0))
        else:
            dark = np.where(body, 0.85 + 0.25 * _smooth(random, side, 1.2), dark)
            mask |= body
    stain, paper = random.uniform((60, 30, 90), (120, 80, 150)), random.uniform(190, 240, 3)
    depth = np.clip(0.25 * ground + 0.8 * dark, 0, 1)[..., None]
    colours = paper + depth * (stain - paper) + random.normal(scale=9, size=(side, side, 3))
    return colours.clip(0, 255).astype(np.uint8), torch.from_numpy(mask.astype(np.int64))


def _ellipse(random: Random, side: int) -> np.ndarray:
    """Pixels of a turned ellipse anywhere, half axes of 4 to 9 pixels, (H, W)."""
    down, across = np.mgrid[:side, :side] - random.uniform(0, side, 2)[:, None, None]
    turn, axes = random.uniform(0, np.pi), random.uniform(4, 9, 2)
    along = down * np.cos(turn) + across * np.sin(turn)
    beside = across * np.cos(turn) - down * np.sin(turn)
    return (along / axes[0]) ** 2 + (beside / axes[1]) ** 2 <= 1


def _smooth(random: Random, side: int, scale: float) -> np.ndarray:
    """Noise (H, W) of deviation 1, its spots of about `scale` pixels."""
    noise = _blurred(random.normal(size=(side, side)), scale)
    return noise / noise.std()


def _blurred(values: np.ndarray, scale: float) -> np.ndarray:
    """By a Gaussian of this deviation in pixels; what leaves at an edge enters at the other one."""
    down, across = np.fft.fftfreq(values.shape[0])[:, None], np.fft.rfftfreq(values.shape[1])
    passed = np.exp(-2 * (np.pi * scale) ** 2 * (down**2 + across**2))
    return np.fft.irfft2(np.fft.rfft2(values) * passed, values.shape)
