"""Nothing that is done to pictures, by whatever setting, changes those that are kept: an item is
the same however often it is read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_pictures import SPEC
from torch import Tensor

from onlay.batches import tensors_of
from onlay_image.data import folder
from onlay_image.data.config import ImageFolderConfig
from onlay_image.data.located import Located
from onlay_image.data.preparing import ImagePreprocess
from onlay_image.data.preprocess import resolve

DEPTHS = {"8 bits": np.uint8, "16 bits": np.uint16, "floats": np.float32}

SETTINGS: dict[str, list[Any]] = {
    "img_size": [12],
    "resize": ["crop", "squash", "pad"],
    "crop_pct": [0.5],
    "interpolation": ["nearest", "bilinear"],
    "normalize": ["none", "half"],
    "mean": [(0.1, 0.2, 0.3)],
    "std": [(0.1, 0.2, 0.3)],
    "value_range": [(0.0, 200.0)],
    "percentile": [(1.0, 99.0)],
    "background": ["black"],
    "frame": [0],
    "max_pixels": [1000],
    "augment": ["flip", "crop_flip", "random_resized_crop", "scale_crop"],
    "scale": [(0.5, 1.5)],
    "aa": ["trivialaugment", "rand-m9-n2"],
    "color_jitter": [0.4, (0.4, 0.4, 0.4, 0.1)],
    "reprob": [1.0],
    "remode": ["const", "rand"],
    "recount": [2],
}
WITH = {"scale": {"augment": "scale_crop"}, "remode": {"reprob": 1.0}, "recount": {"reprob": 1.0}}
"""Settings without which another one has no effect."""
CASES = [
    pytest.param(WITH.get(name, {}) | {name: value}, id=f"{name}={value}")
    for name, values in SETTINGS.items()
    for value in values
]


def test_every_setting_is_tried() -> None:
    assert SETTINGS.keys() == ImagePreprocess.model_fields.keys()


def drawn(kind: str) -> np.ndarray:
    noise = np.random.default_rng(0).random((10, 12, 3))
    dtype = np.dtype(DEPTHS[kind])
    top = 1 if dtype.kind == "f" else np.iinfo(dtype).max
    return (noise * top).astype(dtype)


def read_three_times(part: Any) -> None:
    """Each time the same, and what is kept as it was byte for byte."""
    first = item(part)
    kept = copied(part.kept[0])
    for _ in range(2):
        for leaf, other in zip(item(part), first, strict=True):
            assert torch.equal(leaf, other)
        for leaf, other in zip(copied(part.kept[0]), kept, strict=True):
            assert torch.equal(leaf, other)


def copied(tree: Any) -> list[Tensor]:
    return [leaf.as_subclass(Tensor).clone() for leaf in tensors_of(tree)]


def item(part: Any) -> list[Tensor]:
    """By always the same chance; what is given is changed afterwards, as its users may."""
    for seeded in (torch.manual_seed, np.random.seed, random.seed):
        seeded(3)
    given = part[0]
    found = copied(given)
    for leaf in tensors_of(given):
        leaf.zero_()
    return found


@pytest.mark.parametrize("kind", DEPTHS)
@pytest.mark.parametrize("settings", [{}, *CASES])
def test_a_picture_is_the_same_however_often_it_is_read(
    tmp_path: Path, settings: dict[str, Any], kind: str
) -> None:
    for label in ("ant", "bee"):
        (tmp_path / "train" / label).mkdir(parents=True)
        np.save(tmp_path / "train" / label / "0.npy", drawn(kind))
    spec = {**SPEC, "dynamic_img_size": True}
    config = ImageFolderConfig(path=tmp_path, val_size=0, preprocess=settings)
    train: Any = folder.build(config, spec, 0).train
    read_three_times(train)
    read_three_times(train.plain)


@pytest.mark.parametrize("kind", DEPTHS)
@pytest.mark.parametrize("settings", [{}, *(case for case in CASES if "aa=" not in str(case.id))])
def test_a_picture_with_targets_is_the_same_however_often_it_is_read(
    settings: dict[str, Any], kind: str
) -> None:
    config = ImagePreprocess(**settings)
    facts = resolve(config, {**SPEC, "dynamic_img_size": True})
    target = {
        "mask": torch.arange(120, dtype=torch.int16).reshape(10, 12),
        "depth": torch.rand(10, 12),
        "boxes": [[1.0, 2.0, 9.0, 8.0]],
        "labels": torch.tensor([4]),
    }
    kinds = {"mask": "mask", "depth": "map", "boxes": "boxes", "labels": None}
    for chance in (None, config):
        part = Located([drawn(kind)], [target], facts, chance)
        part.move_targets(kinds)
        read_three_times(part)
    assert target["labels"].tolist() == [4]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_files_of_sixteen_bits_stay_what_they_were(tmp_path: Path, suffix: str) -> None:
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    for label in ("ant", "bee"):
        (tmp_path / "train" / label).mkdir(parents=True)
        Image.fromarray(values).save(tmp_path / "train" / label / f"0.{suffix}")
    train: Any = folder.build(ImageFolderConfig(path=tmp_path, val_size=0), SPEC, 0).train
    for _ in range(3):
        torch.testing.assert_close(train[0][0][0], torch.from_numpy(values / np.float32(65535)))
