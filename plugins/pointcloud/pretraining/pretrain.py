"""Pretrain the bundled backbone; what it reaches is in the README beside this file.

`python plugins/pointcloud/pretraining/pretrain.py --minutes 45 --out runs/pretrain` goes on from
OUT/state.pt where there is one; OUT/onlay_points.safetensors is usable from the first checkpoint.
"""

from __future__ import annotations

import argparse
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pool
import torch
from procedural import KINDS
from sensor import Sensor
from torch import Tensor, nn

from onlay_pointcloud.bundled import ARCHITECTURE, FILE, NPOINTS
from onlay_pointcloud.network.grouping import Grouping
from onlay_pointcloud.network.point_mae import PointMae

sys.path.insert(0, str(Path(__file__).parents[3] / "pretraining"))

import loop
import shards
from distil import Distillation
from objective import Groups, Pretraining, taken
from options import DISTILLED, begun, completed, parser


def main() -> int:
    options = parse()
    device = begun(options)
    make = partial(pool.shapes, tuple(options.families or ()))
    stock = shards.Stock(options.pool, make, count=options.shapes, seed=options.seed, device=device)
    stock.wait(None if options.steps else options.at_first)
    trained = run(options, device)
    trained.train(stock)
    stock.close()
    return trained.status()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    own = parser(__doc__, minutes=45, temperature=0.15, objective="mae")
    own.add_argument("--shapes", type=int, help="default: 16,000; with a GPU 200,000")
    own.add_argument(
        "--at-first", type=int, help="begin with so many; default: all, with a GPU 8,000"
    )
    own.add_argument("--mask", type=float, default=0.6, help="share of groups that are hidden")
    names = [kind.__name__ for kind in KINDS]
    own.add_argument("--families", nargs="+", choices=names, help="kinds of shapes (default: all)")
    options, gpu = completed(own.parse_args(arguments)), torch.cuda.is_available()
    options.shapes = options.shapes or (200_000 if gpu else 16_000)
    options.at_first = options.at_first or (8_000 if gpu else options.shapes)
    return options


def run(options: argparse.Namespace, device: torch.device) -> loop.Run:
    recipe = loop.Recipe(
        model=model(options).to(device),
        batch=lambda shapes, step: batch(shapes, step, options, device),
        decays=lambda parameter: parameter.squeeze().ndim == 2,  # not vectors and tokens
        file=FILE,
        things="shapes",
        network="shipped",
    )
    return loop.Run(options, device, recipe)


def model(options: argparse.Namespace) -> nn.Module:
    encoder, objective = PointMae(**ARCHITECTURE), options.objective
    if objective in DISTILLED:
        hidden = options.hidden if objective == "ibot" else 0.0
        sizes: dict[str, Any] = {"width": ARCHITECTURE["width"], "prototypes": options.prototypes}
        return Distillation(encoder, tokens, hidden=hidden, **sizes)
    return Pretraining(
        encoder, objective=objective, mask=options.mask, temperature=options.temperature
    )


def tokens(
    net: PointMae, groups: Groups, unknown_D: Tensor | None = None, hidden_VG: Tensor | None = None
) -> Tensor:
    """(V, 1 + G, D); where a group lies is told even if its points are hidden."""
    patches_VGK3, centres_VG3 = groups
    x_VGD = net.embedded(patches_VGK3)
    if unknown_D is not None and hidden_VG is not None:
        x_VGD = torch.where(hidden_VG[..., None], unknown_D.to(x_VGD.dtype), x_VGD)
    return net.forward_tokens(x_VGD, centres_VG3)


@torch.no_grad()
def batch(shapes: Any, step: int, options: argparse.Namespace, device: torch.device) -> Any:
    """Two views of shape 0, of shape 1, ...: drawn by the seed and the step alone, and the sensor
    runs on the device. For a distillation groups of whole views and of parts; else clouds and their
    groups.
    """
    chosen = np.random.default_rng([options.seed, step]).integers(0, len(shapes), options.batch)
    sensor = Sensor(NPOINTS, loop.generator(device, options.seed, step))
    drawn = shapes[torch.from_numpy(chosen).to(device)].to(device).float()
    drawn = sensor.turn(drawn, sensor.uniform(drawn, -math.pi, math.pi))
    clouds = sensor.observe(drawn.repeat_interleave(2, 0))
    groups = Grouping(ARCHITECTURE["groups"], ARCHITECTURE["group_size"])(clouds)
    if options.objective in DISTILLED:
        return groups, parts(groups, options.parts, sensor)
    return clouds, groups


def parts(groups: Groups, count: int, sensor: Sensor) -> Groups:
    """Of each shape `count` times the third of the groups that is nearest to one of them, of its
    first view and of its second in turn."""
    patches_VGK3, centres_VG3 = groups
    views = torch.arange(len(centres_VG3) // 2, device=centres_VG3.device)[:, None] * 2
    views = (views + torch.arange(count, device=views.device) % 2).flatten()
    patches, centres = patches_VGK3[views], centres_VG3[views]
    middle = (sensor.uniform(centres, 0, 1) * centres.shape[1]).long()
    away = (centres - taken(centres, middle[:, None])).norm(dim=2)
    near = away.argsort(1)[:, : centres.shape[1] // 3]
    return taken(patches, near), taken(centres, near)


if __name__ == "__main__":
    sys.exit(main())
