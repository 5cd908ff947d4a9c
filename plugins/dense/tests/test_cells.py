"""Generated pictures of cells."""

from __future__ import annotations

from typing import Any

import torch

from onlay_dense.generated.cells import build, picture
from onlay_dense.generated.config import CellsConfig

SPEC: dict[str, Any] = {
    "img_size": [32, 32], "crop_pct": 1.0, "interpolation": "bicubic",
    "mean": [0.5] * 3, "std": [0.5] * 3,
}  # fmt: skip


def test_pictures_are_always_the_same_and_no_part_has_those_of_another() -> None:
    config = CellsConfig(train_size=3, val_size=2, test_size=2, side=32)
    one, other = (build(config, SPEC, seed) for seed in (0, 1))
    seen = []
    for part in (one.train, one.validation, one.test):
        part.move_targets("mask")  # type: ignore[union-attr]
        seen += [part[index] for index in range(len(part))]  # type: ignore[arg-type,index]
    assert (one.digest, one.targets, one.labels) == (
        other.digest,
        "mask",
        ("background", "nucleus"),
    )
    assert all(torch.equal(*pair) for pair in zip(seen[0], other.train[0], strict=True))  # type: ignore[arg-type]
    assert len({tuple(image.flatten().tolist()) for image, _ in seen}) == 7
    assert build(CellsConfig(cells_seed=1), SPEC, 0).digest != one.digest


def test_nuclei_are_darker_than_the_ground_and_fill_a_part_of_it() -> None:
    pictures = [picture(0, 0, index, 64) for index in range(8)]
    shares = [mask.float().mean().item() for _, mask in pictures]
    assert 0.05 < sum(shares) / 8 < 0.4
    grey = [torch.from_numpy(pixels).float().mean(-1) for pixels, _ in pictures]
    inside = [g[mask == 1].mean() for g, (_, mask) in zip(grey, pictures, strict=True)]
    outside = [g[mask == 0].mean() for g, (_, mask) in zip(grey, pictures, strict=True)]
    assert all(a + 20 < b for a, b in zip(inside, outside, strict=True))
