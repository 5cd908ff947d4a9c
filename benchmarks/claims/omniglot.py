"""New classes of a known domain: handwritten characters of alphabets that a backbone never saw.

    python benchmarks/claims/omniglot.py --out runs/data/omniglot --minutes 45

A small ViT learns the 136 characters of part 1, and each of them turned by 90, 180 and 270 degrees
as three further classes, supervised. Small convolutions make its patches (`embed_layer: stem`):
with one large convolution instead it learns some ten times as slowly. What it left goes on:
OUT/state.pt after every 30 seconds of CPU time, OUT/omniglot.safetensors is usable from the first
checkpoint. Part 2, 156 other characters, is what the grids of `claims` adapt it to: drawers 1 to 10
to train on, 11 to 13 to validate, 14 to 20 for the test.

Both parts are B. Lake's (MIT): `omniglot_small/*.zip` in `ONLAY_DATA`, else in `../shared/data`
beside the checkout; they are read where they lie.

Shapes: B batch, D width, C classes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

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

from methods import source
from networks import initialise, with_stem

SIDE = 28
TURNS = 4
NETWORK = "vit_tiny_patch16_224"
KWARGS = {"patch_size": 4, "embed_dim": 128, "depth": 4, "num_heads": 4, "embed_layer": "stem"}
FILE = "omniglot.safetensors"
PARTS = {"train": range(1, 11), "val": range(11, 14), "test": range(14, 21)}
"""Of part 2, by who drew them."""
BATCH, SHARPNESS = 64, 16.0


def drawn(part: int) -> Iterator[tuple[str, int, bytes]]:
    """Character, who drew it (1 to 20), and the picture's file."""
    with ZipFile(source(f"omniglot_small/images_background_small{part}.zip")) as whole:
        for name in sorted(whole.namelist()):
            if name.endswith(".png"):
                alphabet, character, file = Path(name).parts[-3:]
                drawer = int(Path(file).stem.partition("_")[2])
                yield f"{alphabet}-{character}", drawer, whole.read(name)


def unpack(out: Path) -> Path:
    """Part 2 as folders of parts and classes, once."""
    folder = out / "part2"
    if (folder / "complete").exists():
        return folder
    for character, drawer, data in drawn(2):
        part = next(name for name, own in PARTS.items() if drawer in own)
        file = folder / part / character / f"{drawer:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (folder / "complete").touch()
    return folder


def characters() -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, 28, 28) in [-1, 1], ink at -1, and classes (N,); turned ones stand behind."""
    names: dict[str, int] = {}
    pictures, classes = [], []
    for character, _, data in drawn(1):
        picture = Image.open(io.BytesIO(data)).convert("L")
        small = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pictures.append(np.asarray(small))
        classes.append(names.setdefault(character, len(names)))
    images = torch.from_numpy(np.stack(pictures))[:, None].float() / 127.5 - 1
    targets = torch.tensor(classes)
    turned = [images.rot90(turn, (2, 3)) for turn in range(TURNS)]
    return torch.cat(turned), torch.cat([targets + turn * len(names) for turn in range(TURNS)])


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turned by up to 15 degrees, sheared, scaled and moved by up to a sixth."""
    n = len(images)

    def draw(*shape: int) -> Tensor:
        return 2 * torch.rand(n, *shape, generator=generator) - 1

    angle, shear = 0.26 * draw(), 0.2 * draw()
    wide, high = torch.exp(0.18 * draw()), torch.exp(0.18 * draw())
    cos, sin, move = angle.cos(), angle.sin(), 0.2 * draw(2)
    rows = [wide * cos, shear - high * sin, move[:, 0], wide * sin, high * cos, move[:, 1]]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), list(images.shape), False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


class Learner(nn.Module):
    """The network, and a direction for each class; the cosine to it is what is asked for."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = timm.create_model(
            NETWORK, img_size=SIDE, in_chans=1, num_classes=0, pretrained=False, **with_stem(KWARGS)
        )
        initialise(self.encoder)
        width = 2 * KWARGS["embed_dim"]
        self.centred = nn.BatchNorm1d(width, affine=False)  # else all begin in one direction
        self.directions = nn.Parameter(torch.randn(classes, width))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, C)."""
        x_BTD = self.encoder.forward_features(images)
        pooled = self.centred(torch.cat([x_BTD[:, 0], x_BTD[:, 1:].mean(1)], 1))
        return SHARPNESS * F.normalize(pooled) @ F.normalize(self.directions).T


def pretrained(out: Path, minutes: float, bf16: bool = False) -> Path:
    """The weights' file, after so many minutes of CPU time in all."""
    if finished(out, FILE, minutes):
        return out / FILE
    torch.manual_seed(0)
    images, classes = characters()
    learner = Learner(int(classes.max()) + 1)

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(images), (BATCH,), generator=generator)
        logits = learner(augmented(images[rows], generator))
        return F.cross_entropy(logits, classes[rows], label_smoothing=0.1)

    return Clock(learner, loss, out, FILE, minutes, bf16).run()


if __name__ == "__main__":
    alone(__doc__, Path("runs/data/omniglot"), unpack, pretrained)
