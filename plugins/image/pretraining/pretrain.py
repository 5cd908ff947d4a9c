"""Pretrain the bundled backbone; what it reaches is in the README beside this file.

`python plugins/image/pretraining/pretrain.py --minutes 75 --out runs/pretrain` goes on from
OUT/state.pt where there is one; OUT/vit_onlay_64.safetensors is usable from the first checkpoint.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path

import numpy as np
import pool
import torch
from objective import Pretraining, widen
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

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
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    options.out.mkdir(parents=True, exist_ok=True)
    scenes = load_scenes(options)
    run = Run(options, device)
    print(f"{len(scenes)} scenes, {device}, {run.elapsed / 60:.1f} minutes done", flush=True)
    run.train(scenes)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=75, help="of training, resumes included")
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument("--pool", type=Path, help="folder of rendered scenes (default: OUT/pool)")
    parser.add_argument("--scenes", type=int, help="default: 60,000; with a GPU 300,000")
    parser.add_argument("--batch", type=int, help="scenes in a step; default: 32, with a GPU 512")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--keep", type=float, default=0.5, help="share of patches that are seen")
    parser.add_argument("--contrast", type=float, default=0.2, help="weight of this loss")
    parser.add_argument("--temperature", type=float, default=0.1)
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    gpu = torch.cuda.is_available()
    options.scenes = options.scenes or (300_000 if gpu else 60_000)
    options.batch = options.batch or (512 if gpu else 32)
    options.pool = options.pool or options.out / "pool"
    return options


def load_scenes(options: argparse.Namespace) -> np.ndarray:
    paths, began = [], time.monotonic()
    workers = os.cpu_count() or 1
    for path in pool.fill(options.pool, scenes=options.scenes, seed=options.seed, workers=workers):
        paths.append(path)
        if len(paths) % 20 == 0:
            print(f"{len(paths)} shards rendered, {time.monotonic() - began:.0f} s", flush=True)
    return pool.load(sorted(paths))


class Run:
    """The model, its optimizer and its average, as far as the last checkpoint got them."""

    def __init__(self, options: argparse.Namespace, device: torch.device) -> None:
        self.options, self.device = options, device
        encoder = VisionTransformer(**NETWORK)
        self.model = Pretraining(encoder, keep=options.keep, temperature=options.temperature).to(
            device
        )
        self.average = {k: v.detach().clone() for k, v in encoder.state_dict().items()}
        self.optimizer = torch.optim.AdamW(groups(self.model), betas=(0.9, 0.98), fused=True)
        self.step, self.elapsed, self.state = 0, 0.0, options.out / "state.pt"
        if self.state.exists():
            self.resume()

    def train(self, scenes: np.ndarray) -> None:
        limit, saved = self.options.minutes * 60, self.elapsed
        while self.elapsed < limit and self.step < self.options.max_steps:
            began = time.monotonic()
            lr = learning_rate(self.options.lr, self.elapsed / limit)
            losses = self.train_step(self.batch(scenes), lr)
            self.elapsed += time.monotonic() - began
            if self.step % 20 == 0:
                self.tell(lr, losses)
            if self.elapsed - saved > self.options.save_every * 60:
                self.save()
                saved = self.elapsed
        self.save()

    def tell(self, lr: float, losses: dict[str, Tensor]) -> None:
        told = " ".join(f"{name} {float(loss):.3f}" for name, loss in losses.items())
        images = self.step * self.options.batch * 2
        minute = self.elapsed / 60
        print(
            f"step {self.step} minute {minute:.1f} images {images} lr {lr:.2e} {told}", flush=True
        )

    def train_step(self, views: Tensor, lr: float) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            losses = self.model(views)
        loss = losses["describe"] + losses["sketch"] + losses["fill"]
        loss = loss + self.options.contrast * losses["contrast"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.move_average()
        return losses

    def batch(self, scenes: np.ndarray) -> Tensor:
        """Two views of scene 0, of scene 1, ...: chosen and cropped by the seed and the step alone.

        Half of the pairs are two crops of one rendering: the easy ones with which learning begins.
        """
        seed = [self.options.seed, self.step]
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, len(scenes), (self.options.batch, 1))
        drawn = scenes[chosen, rng.integers(0, pool.VIEWS, (self.options.batch, 2))]
        views = torch.from_numpy(drawn).to(self.device).flatten(0, 1)
        generator = torch.Generator(self.device).manual_seed(hash(tuple(seed)) % 2**31)
        views = views.permute(0, 3, 1, 2).float() / 255
        return widen(views, NETWORK["img_size"], generator)

    @torch.no_grad()
    def move_average(self) -> None:
        decay = min(0.997, (1 + self.step) / (10 + self.step))
        for name, value in self.model.encoder.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        partial = self.state.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.state)
        half = {k: v.half().cpu().contiguous() for k, v in self.average.items()}
        partial = self.options.out / f"{WEIGHTS}.part"
        save_file(half, partial, metadata={"step": str(self.step)})
        partial.replace(self.options.out / WEIGHTS)

    def resume(self) -> None:
        state = torch.load(self.state, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.elapsed = state["average"], state["step"], state["elapsed"]


def groups(model: nn.Module) -> list[dict]:
    """No weight decay on vectors, positions and tokens."""
    kinds: dict[bool, list] = {True: [], False: []}
    for parameter in model.parameters():
        kinds[parameter.ndim == 2].append(parameter)
    return [
        {"params": kinds[True], "weight_decay": 0.05},
        {"params": kinds[False], "weight_decay": 0},
    ]


def learning_rate(peak: float, progress: float) -> float:
    """Linear warm-up over the first 3 %, then half a cosine down to a hundredth."""
    if progress < 0.03:
        return peak * max(progress / 0.03, 0.01)
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1))) / 2)


if __name__ == "__main__":
    main()
