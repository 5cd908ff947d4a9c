"""A plugin file: a method whose modules have something to show, and what it takes to run it.

Every token has three parts; the four patches' choices and strengths are `CHOICES`, `STRENGTHS`.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from onlay import hookimpl
from onlay.anatomy import BuiltBackbone, Placement
from onlay.descriptors import Backbone, Method, Modality
from onlay.settings import Config
from onlay.testing import tiny_backbone

CHOICES = [[0, 0, 1], [3, 1, 2], [2, 2, 2], [1, 4, 5]]
STRENGTHS = [0.0, 0.5, 0.0, 1.0]
OTHER = 7
"""What class token and prompts have."""


class ChoosyConfig(Config):
    """The tests' method."""

    name: Literal["choosy"] = "choosy"
    """This one."""
    kernels: bool = False
    """Whether blocks make kernels, too."""


class DotsConfig(Config):
    """The tests' backbone."""

    name: Literal["dots"] = "dots"
    """This one."""


class Chosen(nn.Module):
    shown = "expert"
    categories = 8

    def forward(self, x_BTD: Tensor) -> Tensor:
        return behind_others(torch.tensor(CHOICES), x_BTD)


class Strength(nn.Module):
    shown = "strength"

    def forward(self, x_BTD: Tensor) -> Tensor:
        return behind_others(torch.tensor(STRENGTHS), x_BTD)


def behind_others(of_patches: Tensor, x_BTD: Tensor) -> Tensor:
    others = x_BTD.shape[1] - len(of_patches)
    whole = torch.cat([of_patches.new_full((others, *of_patches.shape[1:]), OTHER), of_patches])
    return whole.expand(len(x_BTD), *whole.shape)


class Kernels(nn.Module):
    """Two pictures of 1 x 3: the tokens' first feature, on average, times 1 to 6."""

    pictured = "kernels"

    def forward(self, x_BTD: Tensor) -> Tensor:
        return x_BTD[..., 0].mean(1).view(-1, 1, 1, 1) * torch.arange(1.0, 7).view(2, 1, 3)


class Library(nn.Module):
    def __init__(self, width: int, chosen: Chosen, kernels: nn.Module) -> None:
        super().__init__()
        self.chosen, self.strength, self.up = chosen, Strength(), nn.Linear(width, width)
        self.kernels = kernels

    def forward(self, x_BTD: Tensor) -> Tensor:
        self.chosen(x_BTD)
        self.kernels(x_BTD)
        return self.strength(x_BTD).unsqueeze(-1) * self.up(x_BTD)


class Mean(nn.Module):
    def forward(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.mean(1, keepdim=True)


def attach(place: Placement, config: ChoosyConfig) -> None:
    """One `Chosen` for all blocks; each block leaves one more prompt."""
    chosen = Chosen()
    for block in place.blocks:
        library = Library(block.width, chosen, Kernels() if config.kernels else nn.Identity())
        branch = place.branch(block.site("mlp.in"), block.site("mlp.out"), library)
        place.insert(block, Mean(), source=branch, count=1)


def build(config: DotsConfig) -> BuiltBackbone:
    torch.manual_seed(0)
    return replace(tiny_backbone(), modality="dots", source=config.model_dump(mode="json"))


def provides(config: DotsConfig) -> frozenset[str]:
    return frozenset({"sequence", "grid", "class_token", "insertion", "extension"})


def reader(preprocessing: Any) -> Callable[[Path], Tensor]:
    return Reader()


class Reader:
    """Has something to say of numbers below 0."""

    def __init__(self) -> None:
        self.below = 0

    def __call__(self, path: Path) -> torch.Tensor:
        value = float(path.read_text())
        self.below += value < 0
        return torch.full((3, 8, 8), value)

    @property
    def notes(self) -> tuple[str, ...]:
        return (f"{self.below} below 0",) if self.below else ()


def view(observations: Any, out: Path) -> None:
    out.write_text(" ".join(observation.source.name for observation in observations))


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(name="choosy", config=ChoosyConfig, attach="choosy:attach", summary="chooses")


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    yield Backbone(
        name="dots", config=DotsConfig, build="choosy:build", modality="dots",
        provides="choosy:provides", summary="tiny",
    )  # fmt: skip


@hookimpl
def register_modalities() -> Iterable[Modality]:
    yield Modality(
        name="dots", reader="choosy:reader", viewer="choosy:view", suffixes=frozenset({".dots"}),
        summary="one number for all pixels",
    )  # fmt: skip
