"""A plugin file for the tests: a method that hears of steps and data, and a tracker that notes."""

from __future__ import annotations

import json
from typing import Any, Literal

import torch
from accelerate.tracking import GeneralTracker
from torch import Tensor, nn

import onlay
from onlay.descriptors import Method, Tracker
from onlay.hooks import Run
from onlay.settings import Config


class PruningConfig(Config):
    """A scale whose parts are closed one after the other."""

    name: Literal["pruning"] = "pruning"
    """This method."""


class Pruned(nn.Module):
    """After every third step the open part with the smallest gradient is closed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.register_buffer("mask", torch.ones(width))
        self.register_buffer("bright", torch.zeros(()))
        self.register_buffer("heard", torch.zeros(3, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.bright * self.mask * (self.scale - 1))

    def views(self, inputs: Tensor) -> Tensor:
        return torch.cat([inputs, inputs.flip(-1)])

    def loss(self, output: Tensor, targets: Tensor, head: Any) -> Tensor:
        first, second = output.chunk(2)
        return head.loss(first, targets) + (first - second).square().mean()

    def prepare(self, splits: Any) -> None:
        self.bright.fill_(splits.train[0][0].mean())

    def after_step(self, step: int, total: int) -> None:
        self.heard += torch.tensor([1, step, total])
        if step % 3 == 0:
            size = self.scale.grad.abs() + 1e9 * (1 - self.mask)
            self.mask[size.argmin()] = 0


def attach(place: Any, config: PruningConfig) -> None:
    block = place.blocks[0]
    place.rewrite(block.site("mlp.in"), Pruned(block.width))


@onlay.hookimpl
def register_methods() -> Any:
    yield Method(name="pruning", config=PruningConfig, attach=f"{__name__}:attach", summary="masks")


class Noting(GeneralTracker):
    """Every call as a line of `noted.jsonl`; its file names what is to fail."""

    name = "noting"
    requires_logging_directory = False

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self._note("made", run.id)

    @property
    def tracker(self) -> None:
        return None

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._note("told", values["train.lr"])

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        self._note("log", step, sorted(values))

    def finish(self) -> None:
        self._note("finish")

    def _note(self, *what: Any) -> None:
        with (self.run.folder / "noted.jsonl").open("a") as file:
            file.write(json.dumps(what) + "\n")
        failing = self.run.folder.parent / "fails"
        if failing.exists() and failing.read_text() == what[0]:
            raise OSError("the service is away")


@onlay.hookimpl
def register_trackers() -> Any:
    yield Tracker(name="noting", tracker=f"{__name__}:Noting", summary="a file of what it heard")
