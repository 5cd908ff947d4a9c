"""The loop in which a bundled backbone is pretrained: on a clock, with an average of its weights,
from checkpoint to checkpoint.

It is that of the folders `pretraining` in `plugins/image` and `plugins/pointcloud`; no wheel holds
it, since nobody but us makes these weights.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn


@dataclass(frozen=True)
class Recipe:
    """What one backbone's pretraining has of its own."""

    model: nn.Module
    """Of views to its losses by name; `model.encoder` is the backbone."""
    batch: Callable[[np.ndarray, int], Tensor]
    """Data and the number of a step -> two views of each thing, one after the other."""
    decays: Callable[[nn.Parameter], bool]
    """Whether a parameter has weight decay."""
    file: str
    """What the weights are called."""
    things: str
    views: str
    """What data and views are called in messages."""


def parser(
    description: str | None, *, minutes: float, temperature: float
) -> argparse.ArgumentParser:
    """What every pretraining can be told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--minutes", type=float, default=minutes, help="of training, resumes included"
    )
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument("--pool", type=Path, help="folder of what is drawn (default: OUT/pool)")
    parser.add_argument("--batch", type=int, help="things in a step; default: 32, with a GPU 512")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--contrast", type=float, default=0.2, help="weight of this loss")
    parser.add_argument("--temperature", type=float, default=temperature)
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def completed(options: argparse.Namespace) -> argparse.Namespace:
    """With the defaults that hang on others, and on there being a GPU."""
    options.batch = options.batch or (512 if torch.cuda.is_available() else 32)
    options.pool = options.pool or options.out / "pool"
    return options


def begun(options: argparse.Namespace) -> torch.device:
    """Seeds, makes the folder, and says where to compute."""
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Run:
    """The model, its optimizer and its average, as far as the last checkpoint got them."""

    def __init__(self, options: argparse.Namespace, device: torch.device, recipe: Recipe) -> None:
        self.options, self.device, self.recipe = options, device, recipe
        self.model, self.batch = recipe.model, recipe.batch
        encoder = self.model.encoder
        self.average = {k: v.detach().clone() for k, v in encoder.state_dict().items()}
        groups = grouped(self.model, recipe.decays)
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
        self.step, self.elapsed, self.state = 0, 0.0, options.out / "state.pt"
        if self.state.exists():
            self.resume()

    def train(self, data: np.ndarray) -> None:
        limit, saved = self.options.minutes * 60, self.elapsed
        done = f"{self.elapsed / 60:.1f} minutes done"
        print(f"{len(data)} {self.recipe.things}, {self.device}, {done}", flush=True)
        while self.elapsed < limit and self.step < self.options.max_steps:
            began = time.monotonic()
            lr = learning_rate(self.options.lr, self.elapsed / limit)
            losses = self.train_step(self.batch(data, self.step), lr)
            self.elapsed += time.monotonic() - began
            if self.step % 20 == 0:
                self.tell(lr, losses)
            if self.elapsed - saved > self.options.save_every * 60:
                self.save()
                saved = self.elapsed
        self.save()

    def tell(self, lr: float, losses: dict[str, Tensor]) -> None:
        told = " ".join(f"{name} {loss.item():.3f}" for name, loss in losses.items())
        seen = f"{self.recipe.views} {self.step * self.options.batch * 2}"
        minute = f"minute {self.elapsed / 60:.1f}"
        print(f"step {self.step} {minute} {seen} lr {lr:.2e} {told}", flush=True)

    def train_step(self, views: Tensor, lr: float) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            losses = self.model(views)
        others = [loss for name, loss in losses.items() if name != "contrast"]
        loss = sum(others[1:], others[0]) + self.options.contrast * losses["contrast"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.move_average()
        return losses

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
        partial = self.options.out / f"{self.recipe.file}.part"
        save_file(halved(self.average), partial, metadata={"step": str(self.step)})
        partial.replace(self.options.out / self.recipe.file)

    def resume(self) -> None:
        state = torch.load(self.state, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.elapsed = state["average"], state["step"], state["elapsed"]


def generator(device: torch.device, seed: int, step: int) -> torch.Generator:
    """Of one step, whatever came before."""
    return torch.Generator(device).manual_seed(hash((seed, step)) % 2**31)


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Counters stay integers."""
    return {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in state.items()
    }


def grouped(model: nn.Module, decays: Callable[[nn.Parameter], bool]) -> list[dict]:
    """Parameters with weight decay, and those without."""
    kinds: dict[bool, list] = {True: [], False: []}
    for parameter in model.parameters():
        kinds[decays(parameter)].append(parameter)
    return [
        {"params": kinds[True], "weight_decay": 0.05},
        {"params": kinds[False], "weight_decay": 0},
    ]


def learning_rate(peak: float, progress: float) -> float:
    """Linear warm-up over the first 3 %, then half a cosine down to a hundredth."""
    if progress < 0.03:
        return peak * max(progress / 0.03, 0.01)
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1))) / 2)
