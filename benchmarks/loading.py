"""Photographs from jpegs to tensors: pictures in a second of processor time, beside timm's own.

    python benchmarks/loading.py

`theirs` is timm's transform with torchvision's `ImageFolder`. One thread; 120 pictures of 500 by
375, read from the system's cache; the least of `ROUNDS` passes that take turns. `later` passes find
what earlier ones kept. Evaluation gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from timm.data import create_transform
from torchvision.datasets import ImageFolder

from onlay_image.data.images import Images
from onlay_image.data.preprocess import training_steps

COUNT, ROUNDS = 120, 6
SHAPE = (375, 500, 3)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AUGMENTS = {"none": {}, "random_resized_crop": {"is_training": True, "auto_augment": None}}
"""Ours, and what timm is asked for instead."""


def draw(folder: Path) -> None:
    """Smooth colours with some noise, which weigh as much as photographs of that size."""
    chance = np.random.default_rng(0)
    for number in range(COUNT):
        small = Image.fromarray(chance.integers(256, size=(24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(small.resize(SHAPE[1::-1], Image.Resampling.BICUBIC), dtype=np.float64)
        noisy = np.clip(smooth + chance.normal(0, 6, SHAPE), 0, 255).astype(np.uint8)
        path = folder / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(noisy).save(path, quality=90)


def theirs(folder: Path, size: int, options: Any) -> ImageFolder:
    own = {"interpolation": "bicubic", "mean": MEAN, "std": STD, "crop_pct": 0.875}
    return ImageFolder(
        str(folder), create_transform((3, size, size), **own, color_jitter=None, **options)
    )


def ours(files: ImageFolder, size: int, augment: str) -> Images:
    facts = {
        "img_size": [size, size],
        "resize": "crop",
        "crop_pct": 0.875,
        "mean": MEAN,
        "std": STD,
    }
    facts |= {"interpolation": "bicubic", "in_chans": 3}
    fit, chance = training_steps(facts, augment)
    paths, targets = zip(*files.samples, strict=True)
    return Images([Path(path) for path in paths], targets, facts, fit=fit, chance=chance)


def rate(dataset: Any) -> float:
    """Pictures in a second of processor time."""
    start = time.process_time()
    for index in range(COUNT):
        dataset[index]
    return COUNT / (time.process_time() - start)


def compared(files: ImageFolder, make: Callable[[], Images]) -> Sequence[float]:
    """The best rates of theirs, of our first pass and of our later ones."""
    rounds = []
    for _ in range(ROUNDS):
        fresh = make()
        rounds.append((rate(files), rate(fresh), rate(fresh)))
    return [max(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        draw(Path(folder))
        for augment, options in AUGMENTS.items():
            for size in (64, 224):
                files = theirs(Path(folder), size, options)
                if augment == "none":
                    assert torch.equal(files[0][0], ours(files, size, augment)[0][0])
                own, first, later = compared(
                    files, lambda f=files, s=size, a=augment: ours(f, s, a)
                )
                print(
                    f"{augment:<20}{size:4}  theirs {own:5.0f}/s   first pass {first:5.0f}/s"
                    f" ({first / own:.2f})   later {later:6.0f}/s ({later / own:.1f})"
                )


if __name__ == "__main__":
    main()
