"""A plugin file for the tests: a tiny backbone, a method with dropout, and small drawn pictures."""

from __future__ import annotations

import os
import random
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

import onlay
from onlay.data import Splits
from onlay.descriptors import Backbone, Dataset, Method
from onlay.errors import DataError
from onlay.figures import Figures
from onlay.settings import Config


class TinyConfig(Config):
    """A tiny vision transformer."""

    name: Literal["tiny"] = "tiny"
    """This backbone."""


class NoisyConfig(Config):
    """A low-rank rewrite with dropout."""

    name: Literal["noisy"] = "noisy"
    """This method."""
    rank: int = 2
    """Inner width."""
    dropout: float = 0.2
    """Dropout while training."""
    idle: bool = False
    """Add a tensor to the head that the loss never uses."""


class CountingConfig(NoisyConfig):
    """The same, with figures."""

    name: Literal["counting"] = "counting"
    """This method."""
    wanted: int = 0
    """Warn of an epoch with fewer samples."""


class StripesConfig(Config):
    """Stripes in four directions, 8 pixels wide, shifted and noisy."""

    name: Literal["stripes"] = "stripes"
    """This data set."""
    train: int = 30
    """Samples to train on."""
    held_out: int = 10
    """Samples to validate on, and to test on; 0: no such parts."""
    classes: int = 4
    """Of four directions, so many are told apart."""
    augment: bool = True
    """Change the training part by chance."""


class FoldedStripesConfig(StripesConfig):
    """Stripes in two folds of different noise."""

    folds: ClassVar[int] = 2

    name: Literal["folded_stripes"] = "folded_stripes"
    """This data set."""
    split_seed: int = 0
    """Changes nothing but what a comparison may think."""
    test_seed: int | None = None
    """Likewise."""
    fold: int = 0
    """Which fold."""


class Noisy(nn.Module):
    def __init__(self, width: int, config: NoisyConfig) -> None:
        super().__init__()
        self.down = nn.Linear(width, config.rank)
        self.up = nn.Linear(config.rank, width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(self.dropout(self.down(x)))


class Counting(Noisy):
    """Counts samples and batches since it entered training mode."""

    def __init__(self, width: int, config: CountingConfig, index: int) -> None:
        super().__init__(width, config)
        self.index, self.wanted = index, config.wanted
        self.samples = self.batches = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.samples, self.batches = self.samples + len(x), self.batches + 1
        return super().forward(x)

    def train(self, mode: bool = True) -> Counting:
        if mode:
            self.samples = self.batches = 0
        return super().train(mode)

    def figures(self) -> Figures:
        seen = {"samples": self.samples, "batch": self.samples / max(1, self.batches)}
        few = f"block {self.index} saw {self.samples} of [wanted] {self.wanted} samples"
        return Figures(
            {f"counting/{name}/block_{self.index}": value for name, value in seen.items()},
            summary=f"block {self.index} [samples] {self.samples}",
            warnings=(few,) if self.samples < self.wanted else (),
        )


class Stripes(torch.utils.data.Dataset[Any]):
    """Pictures (3, 8, 8); the training part is augmented with all three generators."""

    def __init__(self, size: int, start: int, config: StripesConfig, augment: bool) -> None:
        self.size, self.start, self.config, self.augment = size, start, config, augment
        self.read: list[int] = []
        """Every index that was asked for; at the `STRIPES_KILL_AT`th the process gets a signal, the
        `STRIPES_DAMAGED_AT`th cannot be read."""

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.read.append(index)
        rank = os.environ.get("RANK", "0")
        struck = os.environ.get("STRIPES_KILL_RANK", rank) == rank
        if struck and self.augment and len(self.read) == int(os.environ.get("STRIPES_KILL_AT", 0)):
            os.kill(os.getpid(), int(os.environ["STRIPES_SIGNAL"]))
        if struck and len(self.read) == int(os.environ.get("STRIPES_DAMAGED_AT", 0)):
            raise DataError("one of the stripes is damaged")
        target = (self.start + index) % self.config.classes
        row, column = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
        phase = (row, column, row + column, row - column)[target]
        picture = (phase % 4 < 2).float().expand(3, 8, 8)
        noise = torch.Generator().manual_seed(self.start + index)
        picture = picture + 0.3 * torch.randn(3, 8, 8, generator=noise)
        if self.augment:
            shift = random.randrange(3), int(np.random.randint(3))
            picture = picture.roll(shift, (1, 2)) + 0.1 * torch.randn(3, 8, 8)
        return picture, target


class VotedStripes(Stripes):
    """A part whose ballots see every picture shifted and noisier."""

    def votes(self, number: int) -> Ballot:
        return Ballot(self, number)


class Ballot(torch.utils.data.Dataset[Any]):
    def __init__(self, part: Stripes, number: int) -> None:
        self.part, self.number = part, number

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture, target = self.part[index]
        noise = torch.Generator().manual_seed(1000 * self.number + index)
        return picture + 0.5 * torch.randn(3, 8, 8, generator=noise), target


def build_backbone(config: TinyConfig) -> Any:
    from onlay.testing.tiny import tiny_backbone

    built = tiny_backbone()
    built.source = config.model_dump(mode="json")
    return built


def provides(config: TinyConfig) -> frozenset[str]:
    return frozenset({"sequence", "grid", "class_token", "insertion", "extension"})


def build_stripes(config: StripesConfig, input_spec: Any, seed: int) -> Splits:
    first = 10_000 * getattr(config, "fold", 0)
    parts = [
        kind(config.held_out, first + 1000 * (k + 1), config, augment=False)
        if config.held_out
        else None
        for k, kind in enumerate((Stripes, VotedStripes))
    ]
    return Splits(
        train=Stripes(config.train, first, config, augment=config.augment),
        validation=parts[0],
        test=parts[1],
        labels=("rows", "columns", "falling", "rising")[: config.classes],
        preprocessing={"modality": "image"},
    )


def attach(place: Any, config: NoisyConfig) -> None:
    for block in place.blocks:
        counts = isinstance(config, CountingConfig)
        noisy = Counting(block.width, config, block.index) if counts else Noisy(block.width, config)
        place.rewrite(block.site("mlp.in"), noisy)
    if config.idle:
        torch.nn.Module.register_parameter(place.adapter, "idle", nn.Parameter(torch.zeros(3)))


@onlay.hookimpl
def register_backbones() -> Any:
    here = __name__
    yield Backbone(
        name="tiny",
        config=TinyConfig,
        build=f"{here}:build_backbone",
        modality="image",
        summary="tiny",
        provides=f"{here}:provides",
    )


@onlay.hookimpl
def register_methods() -> Any:
    for config in (NoisyConfig, CountingConfig):
        yield Method(
            name=config.model_fields["name"].default,
            config=config,
            attach=f"{__name__}:attach",
            summary="low rank, noisy",
        )


@onlay.hookimpl
def register_datasets() -> Any:
    for config in (StripesConfig, FoldedStripesConfig):
        yield Dataset(
            name=config.model_fields["name"].default,
            config=config,
            build=f"{__name__}:build_stripes",
            modality="image",
            summary="stripes",
        )
