"""SSF (Lian et al., NeurIPS 2022, arXiv:2210.08823, equation 3) as one file."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from onlay import hookimpl
from onlay.anatomy import Affine, Placement
from onlay.descriptors import Method
from onlay.settings import Config


class ScaleAndShiftConfig(Config):
    """Scale and shift what attention and MLP read."""

    name: Literal["scale_and_shift"] = "scale_and_shift"

    sites: tuple[Literal["attn.in", "mlp.in"], ...] = ("attn.in", "mlp.in")
    """Where a block is adapted."""


class ScaleAndShift(nn.Module):
    """x (B, T, D) becomes scale * x + shift; starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.shift

    def affine(self) -> Affine:
        return Affine(self.scale, self.shift)


def attach(place: Placement, config: ScaleAndShiftConfig) -> None:
    for block in place.blocks:
        for site in config.sites:
            place.rewrite(block.site(site), ScaleAndShift(block.width))


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="scale_and_shift",
        config=ScaleAndShiftConfig,
        attach="scale_and_shift:attach",
        summary="a learnt scale and shift before attention and MLP",
        needs=frozenset({"sequence"}),
        traits=frozenset({"identity", "foldable"}),
    )
