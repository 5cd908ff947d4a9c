"""Pretraining of a small backbone on a clock of CPU time, from checkpoint to checkpoint."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[2] / "pretraining"))

from loop import attention, halved

SAVE_EVERY = 30
"""Seconds between two checkpoints."""


@dataclass
class Clock:
    """A busy machine makes it longer, not worse; what it left in OUT goes on."""

    learner: Any
    """An `nn.Module` with the backbone as its `encoder`."""
    loss: Callable[[torch.Generator], Tensor]
    """Of a step, drawn by the generator alone."""
    out: Path
    file: str
    """What the weights are called."""
    minutes: float
    """Of CPU time, resumes included."""
    bf16: bool = False
    """Half as long on a processor that multiplies matrices of bfloat16 (AMX), longer on others."""
    rate: float = 2e-3
    step: int = 0
    elapsed: float = 0.0

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(self.learner.parameters(), self.rate, weight_decay=0.05)
        self.state = self.out / "state.pt"
        if self.state.exists():
            self.resume()

    def run(self) -> Path:
        """Until the time is over; gives the weights' file."""
        saved, limit = self.elapsed, 60 * self.minutes
        while self.elapsed < limit:
            began = time.process_time()
            loss = self.train_step(self.elapsed / limit)
            self.elapsed += time.process_time() - began
            if self.step % 50 == 1:
                done = f"step {self.step}, {self.elapsed / 60:.1f} of {self.minutes:g} minutes"
                print(f"{done}: loss {loss:.3f}", flush=True)
            if self.elapsed - saved > SAVE_EVERY:
                self.save()
                saved = self.elapsed
        self.save()
        return self.out / self.file

    def train_step(self, progress: float) -> float:
        self.learner.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * scheduled(progress)
        dtype = torch.bfloat16 if self.bf16 else torch.float32
        with (
            torch.autocast("cpu", dtype, enabled=self.bf16),
            attention(torch.device("cpu"), dtype),
        ):
            loss = self.loss(torch.Generator().manual_seed(self.step))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def save(self) -> None:
        state = {"learner": self.learner.state_dict(), "optimizer": self.optimizer.state_dict()}
        self.out.mkdir(parents=True, exist_ok=True)
        part = self.state.with_suffix(".part")
        torch.save({**state, "step": self.step, "elapsed": self.elapsed}, part)
        part.replace(self.state)
        weights = halved(self.learner.encoder.state_dict())
        part = self.out / f"{self.file}.part"
        save_file(weights, part, metadata={"minutes": f"{self.elapsed / 60:g}"})
        part.replace(self.out / self.file)

    def resume(self) -> None:
        state = torch.load(self.state, weights_only=True)
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = state["step"], state["elapsed"]


def finished(out: Path, file: str, minutes: float) -> bool:
    """Whether so much was spent, without reading the data again."""
    if not (out / "state.pt").exists() or not (out / file).exists():
        return False
    return torch.load(out / "state.pt", weights_only=True)["elapsed"] >= 60 * minutes


def scheduled(progress: float) -> float:
    """Linear over the first 3 %, then half a cosine."""
    progress = min(progress, 1)
    return min(max(progress, 0.001) / 0.03, (1 + math.cos(math.pi * progress)) / 2)


def alone(
    doc: str | None,
    out: Path,
    unpack: Callable[[Path], Any],
    learn: Callable[[Path, float, bool], Any],
) -> None:
    """The command line of a script that unpacks data and pretrains on them."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--minutes", type=float, default=45, help="of CPU time, resumes included")
    parser.add_argument("--bf16", action="store_true", help="faster where a processor has AMX")
    arguments = parser.parse_args()
    print(unpack(arguments.out))
    print(learn(arguments.out, arguments.minutes, arguments.bf16))
