"""Pretrain the bundled backbone; what it reaches is in the README beside this file.

`python plugins/image/pretraining/pretrain.py --minutes 75 --out runs/pretrain` goes on from
OUT/state.pt where there is one; OUT/vit_onlay_64.safetensors is usable from the first checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pool
import torch
from augment import GENTLE, PART, WHOLE, Views
from torch import Tensor, nn

from onlay_image.bundled import FILE

sys.path.insert(0, str(Path(__file__).parents[3] / "pretraining"))

import loop
import networks
import shards
from distil import Distillation
from objective import Pretraining
from options import DISTILLED, begun, completed, parser


def main() -> int:
    options = parse()
    device = begun(options)
    make = partial(pool.pictures, options.pictures) if options.pictures else pool.scenes
    stock = shards.Stock(options.pool, make, count=options.scenes, seed=options.seed, device=device)
    stock.wait(None if options.steps else options.at_first)
    trained = run(options, device)
    trained.train(stock)
    stock.close()
    return trained.status()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    own = parser(__doc__, minutes=75, temperature=0.1)
    own.add_argument("--scenes", type=int, help="default: 60,000; with a GPU 300,000")
    own.add_argument(
        "--at-first", type=int, help="begin with so many; default: all, with a GPU 16,000"
    )
    own.add_argument("--keep", type=float, default=0.5, help="share of patches that is seen")
    own.add_argument("--network", choices=networks.NETWORKS, default="shipped")
    own.add_argument("--pictures", type=Path, help="a folder of pictures to learn from instead")
    options, gpu = completed(own.parse_args(arguments)), torch.cuda.is_available()
    options.scenes = options.scenes or (300_000 if gpu else 60_000)
    options.at_first = options.at_first or (16_000 if gpu else options.scenes)
    return options


def run(options: argparse.Namespace, device: torch.device) -> loop.Run:
    recipe = loop.Recipe(
        model=model(options).to(device),
        batch=lambda scenes, step: batch(scenes, step, options, device),
        decays=lambda parameter: parameter.squeeze().ndim >= 2 and len(parameter) > 1,
        file=FILE,
        things="scenes",
        network=options.network,
    )
    return loop.Run(options, device, recipe)


def model(options: argparse.Namespace) -> nn.Module:
    encoder, objective = networks.built(options.network), options.objective
    if objective in DISTILLED:
        hidden = options.hidden if objective == "ibot" else 0.0
        sizes: dict[str, Any] = {"width": encoder.embed_dim, "prototypes": options.prototypes}
        return Distillation(encoder, networks.tokens, hidden=hidden, **sizes)
    return Pretraining(
        encoder, objective=objective, keep=options.keep, temperature=options.temperature
    )


def batch(
    scenes: Any, step: int, options: argparse.Namespace, device: torch.device
) -> Tensor | tuple[Tensor, Tensor]:
    """Two views of scene 0, of scene 1, ...: chosen and made by the seed and the step alone; for a
    distillation small parts of each scene, too.

    Half of the pairs are two crops of one rendering: the easy ones with which learning begins.
    """
    rng = np.random.default_rng([options.seed, step])
    chosen = torch.from_numpy(rng.integers(0, len(scenes), (options.batch, 1)))
    sides, count = networks.NETWORKS[options.network]["img_size"], options.parts
    views = Views(loop.generator(device, options.seed, step))

    def drawn(each: int) -> Tensor:
        which = torch.from_numpy(rng.integers(0, pool.VIEWS, (options.batch, each)))
        pictures = scenes[chosen.to(device), which.to(device)].to(device).flatten(0, 1)
        return pictures.permute(0, 3, 1, 2).float() / 255

    if options.objective not in DISTILLED:
        return views.draw(drawn(2), sides, GENTLE)
    return views.draw(drawn(2), sides, WHOLE), views.draw(drawn(count), sides // 2, PART)


if __name__ == "__main__":
    sys.exit(main())
