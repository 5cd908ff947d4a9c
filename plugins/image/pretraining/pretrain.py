"""Pretrain the bundled backbone; what it reaches is in the README beside this file.

`python plugins/image/pretraining/pretrain.py --minutes 75 --out runs/pretrain` goes on from
OUT/state.pt where there is one; OUT/vit_onlay_64.safetensors is usable from the first checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pool
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[3] / "pretraining"))

import loop
import shards
from objective import Pretraining, widen

NETWORK = {
    "img_size": 64,
    "patch_size": 8,
    "embed_dim": 192,
    "depth": 6,
    "num_heads": 3,
    "num_classes": 0,
}
WEIGHTS = "vit_onlay_64.safetensors"


def main() -> None:
    options = parse()
    device = loop.begun(options)
    scenes = shards.filled(options.pool, pool.scenes, count=options.scenes, seed=options.seed)
    run(options, device).train(scenes)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = loop.parser(__doc__, minutes=75, temperature=0.1)
    parser.add_argument("--scenes", type=int, help="default: 60,000; with a GPU 300,000")
    parser.add_argument("--keep", type=float, default=0.5, help="share of patches that are seen")
    options = loop.completed(parser.parse_args(arguments))
    options.scenes = options.scenes or (300_000 if torch.cuda.is_available() else 60_000)
    return options


def run(options: argparse.Namespace, device: torch.device) -> loop.Run:
    encoder = VisionTransformer(**NETWORK)
    model = Pretraining(encoder, keep=options.keep, temperature=options.temperature)
    recipe = loop.Recipe(
        model=model.to(device),
        batch=lambda scenes, step: batch(scenes, step, options, device),
        decays=lambda parameter: parameter.ndim == 2,  # not vectors, positions and tokens
        file=WEIGHTS,
        things="scenes",
        views="images",
    )
    return loop.Run(options, device, recipe)


def batch(
    scenes: np.ndarray, step: int, options: argparse.Namespace, device: torch.device
) -> Tensor:
    """Two views of scene 0, of scene 1, ...: chosen and cropped by the seed and the step alone.

    Half of the pairs are two crops of one rendering: the easy ones with which learning begins.
    """
    rng = np.random.default_rng([options.seed, step])
    chosen = rng.integers(0, len(scenes), (options.batch, 1))
    drawn = scenes[chosen, rng.integers(0, pool.VIEWS, (options.batch, 2))]
    views = torch.from_numpy(drawn).to(device).flatten(0, 1)
    views = views.permute(0, 3, 1, 2).float() / 255
    return widen(views, NETWORK["img_size"], loop.generator(device, options.seed, step))


if __name__ == "__main__":
    main()
