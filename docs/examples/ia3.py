"""IA3 (Liu et al., NeurIPS 2022, arXiv:2205.05638, section 3.3) as one file."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from onlay import hookimpl
from onlay.anatomy import Affine, Placement
from onlay.descriptors import Method
from onlay.settings import Config


class Ia3Config(Config):
    """Scale keys, values, and what the second layer of the MLP reads."""

    name: Literal["my_ia3"] = "my_ia3"

    sites: tuple[Literal["qkv.out.k", "qkv.out.v", "fc2.in"], ...] = (
        "qkv.out.k",
        "qkv.out.v",
        "fc2.in",
    )
    """What is scaled in every block."""


class Scale(nn.Module):
    """x (B, T, D) becomes scale * x; starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x

    def affine(self) -> Affine:
        return Affine(self.scale)


def attach(place: Placement, config: Ia3Config) -> None:
    for block in place.blocks:
        for site in map(block.site, config.sites):
            place.rewrite(site, Scale(site.width))


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="my_ia3",
        config=Ia3Config,
        attach="ia3:attach",
        summary="learnt scales of keys, values and the MLP's hidden numbers",
        needs=frozenset({"sequence"}),
        traits=frozenset({"identity", "foldable"}),
    )
