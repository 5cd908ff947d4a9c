"""New shapes of a known domain: clouds of kinds of objects that a backbone never saw.

    python benchmarks/claims/shapes.py --out runs/data/shapes --minutes 45

The bundled backbone's network learns, from random weights and supervised, 144 designs of generated
people, animals, solids, vessels, cables and piles. A *design* is one of them with all that was
drawn for it; its items, new ones in every step, differ from it a little, each is turned by any
angle, and a scanner sees it (hidden sides, holes, uneven density, noise, as in
`plugins/pointcloud/pretraining/sensor.py`). What it left goes on: OUT/state.pt after every 30
seconds of CPU time, OUT/shapes.safetensors is usable from the first checkpoint.

25 designs of tables, lamps, vehicles, aeroplanes and plants are the classes to which the grid of
`claims` adapts it: 10 items of each to train on, 5 to validate, 20 for the test.

Shapes: V views, N points of an item, P of a cloud, D width, C classes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clock import Clock, alone, finished
from torch import Tensor, nn
from torch.nn import functional as F

from onlay_pointcloud.bundled import ARCHITECTURE, NPOINTS
from onlay_pointcloud.network.point_mae import PointMae

sys.path.append(str(Path(__file__).parents[2] / "plugins" / "pointcloud" / "pretraining"))

from procedural import KINDS, POINTS
from sensor import Sensor
from surfaces import sample

FILE = "shapes.safetensors"
NEW = ("table", "lamp", "vehicle", "aeroplane", "plant")
"""Kinds that pretraining does not see."""
DESIGNS = 5
"""Classes of each of these."""
SEEN = [kind.__name__ for kind in KINDS if kind.__name__ not in NEW]
KNOWN = 24
"""Designs of each of the kinds that it sees."""
PARTS = {"train": 10, "val": 5, "test": 20}
"""Items of a class."""
APART = 0.1
"""How far items of one design are from it, as a share of what might have been drawn."""
BATCH, SHARPNESS = 48, 16.0


class Near(np.random.Generator):
    """Draws what a design drew: whole numbers and choices the same, others near by."""

    def __init__(self, design: int, own: np.random.Generator) -> None:
        super().__init__(np.random.PCG64(design))
        self.own = own

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        drawn = super().uniform(low, high, size)
        move = APART * np.subtract(high, low) * self.own.uniform(-1, 1, np.shape(drawn))
        return np.clip(drawn + move, low, high)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        drawn = super().normal(loc, scale, size)
        return drawn + APART * scale * self.own.normal(0, 1, np.shape(drawn))


def items(kind: str, design: int, own: np.random.Generator, count: int) -> np.ndarray:
    """Items (count, N, 3) of a design, centred, in the unit sphere; z is up."""
    make = next(known for known in KINDS if known.__name__ == kind)
    clouds = np.stack([sample(make(Near(design, own)), POINTS, own) for _ in range(count)])
    clouds -= clouds.mean(1, keepdims=True)
    return clouds / np.linalg.norm(clouds, axis=2).max(1)[:, None, None]


class Scanner(Sensor):
    """Without what radar does beside: no side lobes, no clutter."""

    def smear(self, cloud_VP3: Tensor) -> Tensor:
        return cloud_VP3

    def clutter(self, cloud_VP3: Tensor) -> Tensor:
        return cloud_VP3


def seen(clouds: np.ndarray, generator: torch.Generator) -> Tensor:
    """What a scanner sees (V, P, 3) of items (V, N, 3), each turned by any angle."""
    sensor, plain = Scanner(NPOINTS, generator), torch.from_numpy(clouds).float()
    return sensor.observe(sensor.turn(plain, sensor.uniform(plain, -math.pi, math.pi)))


def unpack(out: Path) -> Path:
    """The new kinds as folders of parts and classes, once."""
    folder = out / "new"
    if (folder / "complete").exists():
        return folder
    for number, (kind, design) in enumerate((k, d) for k in NEW for d in range(DESIGNS)):
        own = np.random.default_rng([number, 1])
        clouds = items(kind, number, own, sum(PARTS.values()))
        views = seen(clouds, torch.Generator().manual_seed(number)).numpy()
        _write(folder, f"{kind}-{design}", iter(views))
    (folder / "complete").touch()
    return folder


def _write(folder: Path, name: str, clouds: Iterable[np.ndarray]) -> None:
    left = iter(clouds)
    for part, count in PARTS.items():
        (folder / part / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            np.save(folder / part / name / f"{number:02d}.npy", next(left))


def batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """New items (V, P, 3) of designs (V,) that are the classes of pretraining."""
    classes = torch.randint(len(SEEN) * KNOWN, (BATCH,), generator=generator)
    own = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    clouds = [items(SEEN[number // KNOWN], 1000 + number, own, 1) for number in classes.tolist()]
    return seen(np.concatenate(clouds), generator), classes


class Learner(nn.Module):
    """The network, and a direction for each class; the cosine to it is what is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = PointMae(**ARCHITECTURE)
        width = 2 * self.encoder.norm.weight.shape[0]
        self.centred = nn.BatchNorm1d(width, affine=False)  # else all begin in one direction
        self.directions = nn.Parameter(torch.randn(len(SEEN) * KNOWN, width))

    def forward(self, clouds_VP3: Tensor) -> Tensor:
        """Logits (V, C), of the class token and the maximum of the groups."""
        x_VTD = self.encoder(clouds_VP3)
        pooled = self.centred(torch.cat([x_VTD[:, 0], x_VTD[:, 1:].amax(1)], 1))
        return SHARPNESS * F.normalize(pooled) @ F.normalize(self.directions).T


def pretrained(out: Path, minutes: float, bf16: bool = False) -> Path:
    """The weights' file, after so many minutes of CPU time in all."""
    if finished(out, FILE, minutes):
        return out / FILE
    torch.manual_seed(0)
    learner = Learner()

    def loss(generator: torch.Generator) -> Tensor:
        clouds, classes = batch(generator)
        return F.cross_entropy(learner(clouds), classes, label_smoothing=0.1)

    return Clock(learner, loss, out, FILE, minutes, bf16, rate=1e-3).run()


if __name__ == "__main__":
    alone(__doc__, Path("runs/data/shapes"), unpack, pretrained)
