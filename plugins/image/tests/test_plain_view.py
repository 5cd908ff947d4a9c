"""A training part that shows itself as evaluation would."""

from __future__ import annotations

import torch

from onlay_image.data.config import DigitsConfig
from onlay_image.data.digits import build
from onlay_image.data.preparing import ImagePreprocess

SPEC = {
    "img_size": [16, 16], "crop_pct": 1.0, "interpolation": "bilinear",
    "mean": [0.5] * 3, "std": [0.5] * 3,
}  # fmt: skip


def test_the_plain_view_has_the_same_pictures_without_chance() -> None:
    changed = ImagePreprocess(augment="random_resized_crop", aa="rand", reprob=1)
    train = build(DigitsConfig(train_size=20, preprocess=changed), SPEC, 0).train
    still = build(DigitsConfig(train_size=20), SPEC, 0).train
    pictures = [part[3][0] for part in (train.plain, train.plain, still)]  # type: ignore[attr-defined]
    assert torch.equal(pictures[0], pictures[1])
    assert torch.equal(pictures[0], pictures[2])
    assert not torch.equal(train[3][0], pictures[0])
    assert list(train.targets) == list(train.plain.targets)  # type: ignore[attr-defined]
