"""A domain's own pictures without labels: a small ViT learns crops of microscope pictures.

    python benchmarks/claims/nuclei.py --out runs/data/nuclei --minutes 45

Two crops of one place, each changed in scale, colour and turn, are to be known for one another
among those of 64 places (SimCLR, arXiv:2002.05709). Only pictures of the training part are seen,
and no mask. The grid of `claims` adapts the network to masks of 4, 16 and 64 of these pictures.

The pictures are those of the 2018 Data Science Bowl (CC0), `nuclei/{train,val}` in `ONLAY_DATA`,
else in `../shared/data` beside the checkout.

Shapes: V views (two of a place, one after the other), D width.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from clock import Clock, alone, finished
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

sys.path += [
    str(Path(__file__).parents[2] / folder)
    for folder in ("benchmarks", "pretraining", "plugins/image/pretraining")
]

from contrast import info_nce
from methods import source
from networks import initialise

SIDE, CROP, PLACES, TEMPERATURE = 128, 64, 64, 0.15
NETWORK = "vit_tiny_patch16_224"
KWARGS = {"patch_size": 8, "embed_dim": 128, "depth": 4, "num_heads": 4}
FILE = "nuclei.safetensors"
FEW = (4, 16, 64)
VALIDATION = 30


def unpack(out: Path) -> Path:
    """A folder for each number of labelled pictures, the fewer among the more; once."""
    folder = source("nuclei")
    if (out / "complete").exists():
        return out
    names = sorted(path.name for path in (folder / "train" / "images").iterdir())
    order = [names[n] for n in np.random.default_rng(0).permutation(len(names))]
    tests = sorted(path.name for path in (folder / "val" / "images").iterdir())
    for few in FEW:
        parts = {"train": order[VALIDATION : VALIDATION + few], "val": order[:VALIDATION]}
        for part, own in parts.items():
            _copy(folder / "train", out / str(few) / part, own)
        _copy(folder / "val", out / str(few) / "test", tests)
    (out / "complete").touch()
    return out


def _copy(whole: Path, into: Path, names: list[str]) -> None:
    for kind in ("images", "instances"):
        (into / kind).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(whole / kind / name, into / kind / name)


def pictures() -> Tensor:
    """All of the training part (N, 3, 128, 128) in [-1, 1], half as large as they are."""
    paths = sorted((source("nuclei") / "train" / "images").glob("*.png"))
    small = [Image.open(p).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX) for p in paths]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1


def views(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Two crops (V, 3, 64, 64) of each of `PLACES` random places."""
    rows = torch.randint(len(pictures), (PLACES,), generator=generator)
    places = torch.rand(PLACES, 2, generator=generator) - 0.5
    twice, count = pictures[rows].repeat_interleave(2, 0), 2 * PLACES

    def draw(*shape: int) -> Tensor:
        return 2 * torch.rand(count, *shape, generator=generator) - 1

    angle, zoom = torch.pi * draw(), CROP / SIDE * torch.exp(0.35 * draw())
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    move = places.repeat_interleave(2, 0) + 0.12 * draw(2)
    theta = torch.stack([cos, -sin, move[:, 0], sin, cos, move[:, 1]], 1).view(count, 2, 3)
    grid = F.affine_grid(theta, [count, 3, CROP, CROP], align_corners=False)
    crops = F.grid_sample(twice, grid, padding_mode="reflection", align_corners=False)
    tint, light = 1 + 0.4 * draw(3, 1, 1), 0.3 * draw(1, 1, 1)
    return (crops * tint + light).clamp(-1, 1)


class Learner(nn.Module):
    """The network, and what its class token and the mean of its patches are compared by."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = timm.create_model(
            NETWORK, img_size=CROP, num_classes=0, pretrained=False, **KWARGS
        )
        initialise(self.encoder)
        width = 2 * KWARGS["embed_dim"]
        self.project = nn.Sequential(
            nn.Linear(width, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 128)
        )

    def forward(self, views: Tensor) -> Tensor:
        """(V, 128)."""
        x_VTD = self.encoder.forward_features(views)
        return self.project(torch.cat([x_VTD[:, 0], x_VTD[:, 1:].mean(1)], 1))


def pretrained(out: Path, minutes: float, bf16: bool = False) -> Path:
    """The weights' file, after so many minutes of CPU time in all."""
    if finished(out, FILE, minutes):
        return out / FILE
    torch.manual_seed(0)
    own, learner = pictures(), Learner()

    def loss(generator: torch.Generator) -> Tensor:
        return info_nce(learner(views(own, generator)), TEMPERATURE)

    return Clock(learner, loss, out, FILE, minutes, bf16, rate=1e-3).run()


if __name__ == "__main__":
    alone(__doc__, Path("runs/data/nuclei"), unpack, pretrained)
