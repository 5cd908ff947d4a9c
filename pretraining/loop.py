"""The loop in which a bundled backbone is pretrained: on a budget, with an average of its weights,
from checkpoint to checkpoint.

It is that of the folders `pretraining` in `plugins/image` and `plugins/pointcloud`; no wheel holds
it, since nobody but us makes these weights.
"""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import save_file
from schedule import Budget, average_decay, learning_rate
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Recipe:
    """What one backbone's pretraining has of its own."""

    model: nn.Module
    """Of views to its losses by name; `model.pair` is what learns and its average."""
    batch: Callable[[Any, int], Any]
    """Data and the number of a step -> views, on the device."""
    decays: Callable[[nn.Parameter], bool]
    """Whether a parameter has weight decay."""
    file: str
    """What the weights are called."""
    things: str
    """What data are called in messages."""
    network: str
    """Which architecture it is; the file says so."""


class Run:
    """The model and its optimizer, as far as the last checkpoint got them."""

    def __init__(self, options: argparse.Namespace, device: torch.device, recipe: Recipe) -> None:
        self.options, self.device, self.recipe = options, device, recipe
        self.model, self.batch = recipe.model, recipe.batch
        groups = grouped(self.model, recipe.decays)
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
        self.scaler = torch.amp.GradScaler(device.type, enabled=options.precision == "fp16")
        self.budget, self.state = Budget(options), options.out / "state.pt"
        self.step, self.last, self.elapsed, self.stopped = 0, 0.0, 0.0, False
        if self.state.exists():
            self.resume()
        if options.compile:
            self.model.compile()

    def train(self, data: Any) -> None:
        """Until the budget is used, or SIGTERM or SIGINT ask for the end; both leave a
        checkpoint."""
        restore = [(s, signal.signal(s, self.stop)) for s in (signal.SIGTERM, signal.SIGINT)]
        if self.options.compile and not self.step:
            self.warm_up(data)
        self.budget.start(self.elapsed)
        print(f"{len(data)} {self.recipe.things}, {self.device}, step {self.step}", flush=True)
        saved = self.elapsed
        while self.budget.left(self.step) and not self.stopped:
            self.told(self.train_step(data))
            self.elapsed = self.budget.elapsed()
            if self.elapsed - saved > self.options.save_every * 60:
                self.save()
                saved = self.elapsed
        self.save()
        for which, handler in restore:
            signal.signal(which, handler)

    def stop(self, *_: Any) -> None:
        self.stopped = True

    def status(self) -> int:
        """Of the process: 0 behind the schedule's end, else what SIGTERM is to a shell."""
        return 0 if self.budget.share(self.step) >= 1 else 128 + signal.SIGTERM

    def warm_up(self, data: Any) -> None:
        """Compile before minutes are counted; no weight moves."""
        sum(self.losses(data).values()).backward()
        self.optimizer.zero_grad(set_to_none=True)

    def losses(self, data: Any) -> dict[str, Tensor]:
        """Of this step's views; what is drawn at random hangs on seed and step alone."""
        torch.manual_seed(hash((self.options.seed, self.step)) % 2**31)
        views, dtype = self.batch(data, self.step), PRECISIONS[self.options.precision]
        with (
            torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32),
            attention(self.device, dtype),
        ):
            return self.model(views)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        share = self.budget.share(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.options.lr, share)
        losses = self.losses(data)
        weights = {"contrast": self.options.contrast}
        loss = sum(weights.get(name, 1.0) * loss for name, loss in losses.items())
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self.model.pair.follow(average_decay(share, self.last, self.step))
        self.last = share
        return losses

    def told(self, losses: dict[str, Tensor]) -> None:
        if self.step % 20 and self.step > 1:
            return
        told = " ".join(f"{name} {loss.item():.3f}" for name, loss in losses.items())
        seen = f"{self.recipe.things} {self.step * self.options.batch}"
        minute = f"minute {self.budget.elapsed() / 60:.1f}"
        rate = self.optimizer.param_groups[0]["lr"]
        print(f"step {self.step} {minute} {seen} lr {rate:.2e} {told}", flush=True)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "budget": self.budget.limit,
            **{name: getattr(self, name) for name in ("step", "last", "elapsed")},
        }
        partial = self.state.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.state)
        partial = self.options.out / f"{self.recipe.file}.part"
        encoder = self.model.pair.teacher["encoder"].state_dict()
        save_file(halved(encoder), partial, metadata={"pretraining": self.described()})
        partial.replace(self.options.out / self.recipe.file)

    def described(self) -> str:
        """One text: several keys would be written in a random order."""
        told = {"network": self.recipe.network, "step": self.step}
        return json.dumps(told | {k: getattr(self.options, k) for k in ("objective", "batch")})

    def resume(self) -> None:
        state = torch.load(self.state, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.options.from_the_start:
            self.budget.limit = state["budget"]
        self.step, self.last, self.elapsed = state["step"], state["last"], state["elapsed"]


def attention(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """On a CPU the backward pass of fused attention in bfloat16 takes six times as long as products
    and a softmax do."""
    plain = device.type == "cpu" and dtype == torch.bfloat16
    return sdpa_kernel(SDPBackend.MATH) if plain else nullcontext()


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
    """Parameters with weight decay, and those without; none that only follow."""
    kinds: dict[bool, list] = {True: [], False: []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            kinds[decays(parameter)].append(parameter)
    return [
        {"params": kinds[True], "weight_decay": 0.05},
        {"params": kinds[False], "weight_decay": 0},
    ]
