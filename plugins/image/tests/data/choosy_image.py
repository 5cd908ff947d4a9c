"""A plugin file: every token has three parts, which choose one of four experts by where it lies."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from onlay import hookimpl
from onlay.anatomy import Placement
from onlay.descriptors import Method
from onlay.settings import Config


class ChoosyConfig(Config):
    """The tests' method."""

    name: Literal["choosy"] = "choosy"
    """This one."""


class Chosen(nn.Module):
    """Token t of T has the parts u, u + 1 and u, modulo 4, where u = T - t."""

    shown = "expert"
    categories = 4

    def forward(self, x_BTD: Tensor) -> Tensor:
        behind_T = torch.arange(x_BTD.shape[1], 0, -1)
        return (torch.stack([behind_T, behind_T + 1, behind_T], -1) % 4).expand(len(x_BTD), -1, -1)


class Strength(nn.Module):
    """Of a token of a sequence or a map: its number, row by row."""

    shown = "strength"

    def forward(self, x: Tensor) -> Tensor:
        tokens = x[0, ..., 0].numel()
        return torch.arange(tokens).view(1, *x.shape[1:-1], 1).expand(len(x), *x.shape[1:-1], 1)


class Shift(nn.Module):
    def __init__(self, width: int, watcher: nn.Module) -> None:
        super().__init__()
        self.watcher, self.shift = watcher, nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        self.watcher(x)
        return x + self.shift


class Mean(nn.Module):
    def forward(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.mean(1, keepdim=True)


def attach(place: Placement, config: ChoosyConfig) -> None:
    """Experts on sequences, each block leaving one more prompt; strengths on all."""
    for block in place.blocks:
        site = block.site("attn.in")
        place.rewrite(site, Shift(site.width, Strength()))
        if "class_token" in place.provides:
            place.rewrite(block.site("mlp.in"), Shift(block.width, Chosen()))
            place.insert(block, Mean(), source=block.site("mlp.in"), count=1)


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="choosy", config=ChoosyConfig, attach="choosy_image:attach", summary="chooses"
    )
