"""Pretrain the bundled backbone; what it reaches is in the README beside this file.

`python plugins/pointcloud/pretraining/pretrain.py --minutes 45 --out runs/pretrain` goes on from
OUT/state.pt where there is one; OUT/onlay_points.safetensors is usable from the first checkpoint.
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
from objective import Pretraining
from safetensors.torch import save_file
from sensor import Sensor
from torch import Tensor, nn

from onlay_pointcloud.bundled import ARCHITECTURE, FILE, NPOINTS
from onlay_pointcloud.network.point_mae import PointMae


def main() -> None:
    options = parse()
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    options.out.mkdir(parents=True, exist_ok=True)
    shapes = load_shapes(options)
    run = Run(options, device)
    print(f"{len(shapes)} shapes, {device}, {run.elapsed / 60:.1f} minutes done", flush=True)
    run.train(shapes)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=45, help="of training, resumes included")
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument("--pool", type=Path, help="folder of shapes (default: OUT/pool)")
    parser.add_argument("--shapes", type=int, help="default: 16,000; with a GPU 200,000")
    parser.add_argument("--batch", type=int, help="shapes in a step; default: 32, with a GPU 512")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--mask", type=float, default=0.6, help="share of groups that are hidden")
    parser.add_argument("--contrast", type=float, default=0.2, help="weight of this loss")
    parser.add_argument("--temperature", type=float, default=0.15)
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    gpu = torch.cuda.is_available()
    options.shapes = options.shapes or (200_000 if gpu else 16_000)
    options.batch = options.batch or (512 if gpu else 32)
    options.pool = options.pool or options.out / "pool"
    return options


def load_shapes(options: argparse.Namespace) -> np.ndarray:
    workers = os.cpu_count() or 1
    paths = pool.fill(options.pool, shapes=options.shapes, seed=options.seed, workers=workers)
    return pool.load(sorted(paths))


class Run:
    """The model, its optimizer and its average, as far as the last checkpoint got them."""

    def __init__(self, options: argparse.Namespace, device: torch.device) -> None:
        self.options, self.device = options, device
        encoder = PointMae(**ARCHITECTURE)
        self.model = Pretraining(encoder, mask=options.mask, temperature=options.temperature)
        self.model.to(device).train()
        self.average = {k: v.detach().clone() for k, v in encoder.state_dict().items()}
        self.optimizer = torch.optim.AdamW(groups(self.model), betas=(0.9, 0.98), fused=True)
        self.step, self.elapsed, self.state = 0, 0.0, options.out / "state.pt"
        if self.state.exists():
            self.resume()

    def train(self, shapes: np.ndarray) -> None:
        limit, saved = self.options.minutes * 60, self.elapsed
        while self.elapsed < limit and self.step < self.options.max_steps:
            began = time.monotonic()
            lr = learning_rate(self.options.lr, self.elapsed / limit)
            losses = self.train_step(self.batch(shapes), lr)
            self.elapsed += time.monotonic() - began
            if self.step % 20 == 0:
                self.tell(lr, losses)
            if self.elapsed - saved > self.options.save_every * 60:
                self.save()
                saved = self.elapsed
        self.save()

    def tell(self, lr: float, losses: dict[str, Tensor]) -> None:
        told = " ".join(f"{name} {loss.item():.3f}" for name, loss in losses.items())
        clouds = self.step * self.options.batch * 2
        minute = self.elapsed / 60
        print(
            f"step {self.step} minute {minute:.1f} clouds {clouds} lr {lr:.2e} {told}", flush=True
        )

    def train_step(self, clouds: Tensor, lr: float) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            losses = self.model(clouds)
        loss = losses["fill"] + losses["describe"] + self.options.contrast * losses["contrast"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.move_average()
        return losses

    def batch(self, shapes: np.ndarray) -> Tensor:
        """Two views of shape 0, of shape 1, ...: drawn by the seed and the step alone."""
        seed = [self.options.seed, self.step]
        chosen = np.random.default_rng(seed).integers(0, len(shapes), self.options.batch)
        generator = torch.Generator(self.device).manual_seed(hash(tuple(seed)) % 2**31)
        sensor = Sensor(NPOINTS, generator)
        drawn = torch.from_numpy(shapes[chosen]).to(self.device).float()
        drawn = sensor.turn(drawn, sensor.uniform(drawn, -math.pi, math.pi))
        return sensor.observe(drawn.repeat_interleave(2, 0))

    @torch.no_grad()
    def move_average(self) -> None:
        decay = min(0.997, (1 + self.step) / (10 + self.step))
        for name, value in self.model.encoder.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

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
        partial = self.options.out / f"{FILE}.part"
        save_file(halved(self.average), partial, metadata={"step": str(self.step)})
        partial.replace(self.options.out / FILE)

    def resume(self) -> None:
        state = torch.load(self.state, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.elapsed = state["average"], state["step"], state["elapsed"]


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Counters stay integers."""
    return {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in state.items()
    }


def groups(model: nn.Module) -> list[dict]:
    """No weight decay on vectors, positions and tokens."""
    kinds: dict[bool, list] = {True: [], False: []}
    for parameter in model.parameters():
        kinds[parameter.squeeze().ndim == 2].append(parameter)
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
