"""LoRA on q, k and v (Hu et al., ICLR 2022, arXiv:2106.09685, section 4.1)."""

from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import nn

from inlay import hookimpl
from inlay.anatomy import Affine, Placement
from inlay.config.base import Config
from inlay.descriptors import Method


class LoraConfig(Config):
    """Low-rank updates of the weights that make q, k and v."""

    name: Literal["my_lora"] = "my_lora"
    rank: PositiveInt = 8
    """Rank r of every update."""
    alpha: PositiveFloat = 16.0
    """Every update is multiplied by alpha / rank."""


class LowRank(nn.Module):
    def __init__(self, width: int, out: int, config: LoraConfig) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(config.rank, width) / width**0.5)
        self.up = nn.Parameter(torch.zeros(out, config.rank))
        self.scale = config.alpha / config.rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * (x @ self.down.T @ self.up.T)

    def affine(self) -> Affine:
        return Affine(self.scale * self.up @ self.down)


def attach(place: Placement, config: LoraConfig) -> None:
    for block in place.blocks:
        source, target = block.site("attn.in"), block.site("qkv.out")
        place.branch(source, target, LowRank(source.width, target.width, config))


@hookimpl
def register_methods():
    yield Method(
        name="my_lora",
        config=LoraConfig,
        attach="my_lora:attach",
        summary="low-rank updates of q, k and v",
    )
