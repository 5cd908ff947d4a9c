"""Pretrain the bundled backbone; what it reaches is in the README beside this file.

`python plugins/pointcloud/pretraining/pretrain.py --minutes 45 --out runs/pretrain` goes on from
OUT/state.pt where there is one; OUT/onlay_points.safetensors is usable from the first checkpoint.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import pool
import torch
from sensor import Sensor
from torch import Tensor

from onlay_pointcloud.bundled import ARCHITECTURE, FILE, NPOINTS
from onlay_pointcloud.network.point_mae import PointMae

sys.path.insert(0, str(Path(__file__).parents[3] / "pretraining"))

import loop
import shards
from objective import Pretraining


def main() -> None:
    options = parse()
    device = loop.begun(options)
    shapes = shards.filled(options.pool, pool.shapes, count=options.shapes, seed=options.seed)
    run(options, device).train(shapes)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = loop.parser(__doc__, minutes=45, temperature=0.15)
    parser.add_argument("--shapes", type=int, help="default: 16,000; with a GPU 200,000")
    parser.add_argument("--mask", type=float, default=0.6, help="share of groups that are hidden")
    options = loop.completed(parser.parse_args(arguments))
    options.shapes = options.shapes or (200_000 if torch.cuda.is_available() else 16_000)
    return options


def run(options: argparse.Namespace, device: torch.device) -> loop.Run:
    encoder = PointMae(**ARCHITECTURE)
    model = Pretraining(encoder, mask=options.mask, temperature=options.temperature)
    recipe = loop.Recipe(
        model=model.to(device),
        batch=lambda shapes, step: batch(shapes, step, options, device),
        decays=lambda parameter: parameter.squeeze().ndim == 2,  # not vectors and tokens
        file=FILE,
        things="shapes",
        views="clouds",
    )
    return loop.Run(options, device, recipe)


def batch(
    shapes: np.ndarray, step: int, options: argparse.Namespace, device: torch.device
) -> Tensor:
    """Two views of shape 0, of shape 1, ...: drawn by the seed and the step alone."""
    chosen = np.random.default_rng([options.seed, step]).integers(0, len(shapes), options.batch)
    sensor = Sensor(NPOINTS, loop.generator(device, options.seed, step))
    drawn = torch.from_numpy(shapes[chosen]).to(device).float()
    drawn = sensor.turn(drawn, sensor.uniform(drawn, -math.pi, math.pi))
    return sensor.observe(drawn.repeat_interleave(2, 0))


if __name__ == "__main__":
    main()
