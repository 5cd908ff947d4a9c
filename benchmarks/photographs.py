"""The photographs of hands that sign digits: read, split once, and augmented.

They are A. Mavi's Sign Language Digits (Apache-2.0): a folder `sign_digits/<0..9>/*.jpg` in
`ONLAY_DATA`, else in `../shared/data` beside the checkout.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

SIDE, TRAIN, VALIDATION = 64, 1000, 200


def folder() -> Path:
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("ONLAY_DATA", beside)) / "sign_digits"
    if not root.is_dir():
        raise SystemExit(f"no folder {root}: set ONLAY_DATA to a folder that holds `sign_digits`")
    return root


@cache
def photographs() -> tuple[Tensor, Tensor]:
    """Images (N, 3, 64, 64) in [-1, 1] and classes (N,), in the order of the sorted paths."""
    paths = sorted(folder().glob("[0-9]/*.jpg"))
    pixels = [
        np.asarray(Image.open(p).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        for p in paths
    ]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return images, torch.tensor([int(p.parent.name) for p in paths])


def parts(search: bool) -> tuple[Tensor, Tensor]:
    """Indices to train on and to judge by."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(photographs()[1])))
    if search:
        return order[: TRAIN - VALIDATION], order[TRAIN - VALIDATION : TRAIN]
    return order[:TRAIN], order[TRAIN:]


def augmented(images: Tensor) -> Tensor:
    """Turned by up to 6 degrees, moved and scaled by up to a twentieth."""
    n = len(images)
    angle, scale = 0.1 * (2 * torch.rand(n) - 1), 1 + 0.05 * (2 * torch.rand(n) - 1)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    move = 0.1 * (2 * torch.rand(2, n) - 1)
    theta = torch.stack([cos, -sin, move[0], sin, cos, move[1]], 1).view(n, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
