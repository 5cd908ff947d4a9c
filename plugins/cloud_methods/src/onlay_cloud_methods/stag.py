"""STAG, a side network on the graph of a cloud's centres (code of takahikof, MIT; read, not used).

Shapes: B batch, T tokens, G groups, D width of the backbone, C channels of the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.features import Layout, centres_of
from onlay_cloud_methods.graphs import gathered, nearest

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement, Site
    from onlay_cloud_methods.config import StagConfig

QUARTERS = 4
UNFOLDABLE = "neighbours depend on the cloud"


class Lowered(nn.Module):
    """down(x) of the groups, (B, G, C), added to what there is."""

    unfoldable = UNFOLDABLE

    def __init__(self, down: nn.Linear, layout: Callable[[], Layout]) -> None:
        super().__init__()
        self.down, self.layout = down, layout

    def forward(self, x_BTD: Tensor, state_BGC: Tensor | None = None) -> Tensor:
        lowered = self.down(x_BTD[:, -self.layout().count :])
        return lowered if state_BGC is None else state_BGC + lowered


class GraphLayer(nn.Module):
    """out(max over neighbours of (own S_i + other S_j)), (B, G, C); and up, for the tokens."""

    def __init__(self, width: int, config: StagConfig) -> None:
        super().__init__()
        channels = config.width
        self.own, self.other = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.out, self.up = nn.Linear(channels, channels), nn.Linear(channels, width)
        self.neighbours = config.neighbours

    def forward(self, state_BGC: Tensor, centres_BG3: Tensor) -> Tensor:
        near_BGk = nearest(centres_BG3, self.neighbours)
        others_BGC = gathered(self.other(state_BGC), near_BGk).amax(2)
        return self.out(self.own(state_BGC) + others_BGC)


class Convolved(nn.Module):
    """A graph layer at one block."""

    unfoldable = UNFOLDABLE

    def __init__(self, layer: GraphLayer, layout: Callable[[], Layout]) -> None:
        super().__init__()
        self.layer, self.layout = layer, layout

    def forward(self, state_BGC: Tensor) -> Tensor:
        centres_BG3 = centres_of(self.layout())
        assert centres_BG3 is not None, "the method needs `points`"
        return self.layer(state_BGC, centres_BG3)


class Spoken(nn.Module):
    """ReLU(up(S)) for the groups, its mean for the tokens of pretraining, nothing for others."""

    unfoldable = UNFOLDABLE
    shown = "from the side"
    meaning = "Length of what STAG's side network adds to each group behind the block."

    def __init__(self, layer: GraphLayer, layout: Callable[[], Layout], own: int) -> None:
        super().__init__()
        self.layer, self.layout, self.own = layer, layout, own

    def forward(self, state_BGC: Tensor) -> Tensor:
        d_BGD = self.layer.up(state_BGC).relu()
        mean_B1D = d_BGD.mean(1, keepdim=True)
        inserted = self.layout().prefix - self.own
        silent = mean_B1D.new_zeros(1, 1, 1).expand(d_BGD.shape[0], inserted, d_BGD.shape[2])
        return torch.cat([mean_B1D.expand(-1, self.own, -1), silent, d_BGD], 1)

    def shows(self, state_BGC: Tensor, said_BTD: Tensor) -> Tensor:
        return said_BTD.norm(dim=-1)


class Nothing(nn.Module):
    """Zeros in the place of the last norm's tokens, to which those in front of it are added."""

    unfoldable = UNFOLDABLE

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Tokens(nn.Module):
    """The tokens as they are."""

    unfoldable = UNFOLDABLE

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def attach(place: Placement, config: StagConfig) -> None:
    """No gradient enters a block before the first graph layer speaks."""
    width, depth = place.blocks[0].width, len(place.blocks)
    downs = [_started(nn.Linear(width, config.width)) for _ in range(parts(config, depth)[0])]
    layers = [_layer(width, config) for _ in range(parts(config, depth)[1])]
    state, before = None, place.site("tokens.in")
    for block in place.blocks:
        layout = place.layout(block)
        lowered = Lowered(downs[block.index * len(downs) // depth], layout)
        state = place.carry([before] if state is None else [before, state], lowered)
        before = block.site("block.out")
        turn = _turn(block.index, depth, config)
        if turn is not None:
            state = place.carry(state, Convolved(layers[turn], layout))
            spoken = Spoken(layers[turn], layout, place.anatomy.prefix)
            place.branch(state, before, spoken)
    if not config.norm:
        leave_out_norm(place, before)


def leave_out_norm(place: Placement, last: Site) -> None:
    """By the backbone's own setting, which levels of dense tasks follow, too, if it has one."""
    if "last_norm" in place.anatomy.settings:
        place.set("last_norm", False)
        return
    place.rewrite(place.site("norm.out"), Nothing())
    place.branch(last, place.site("norm.out"), Tokens())


def parts(config: StagConfig, depth: int) -> tuple[int, int]:
    """How many projections and graph layers there are; fewer where there are fewer blocks."""
    quarters = min(QUARTERS, depth)
    return (1, 1) if config.kind == "std" else (quarters, quarters - 1)


def _turn(block: int, depth: int, config: StagConfig) -> int | None:
    """Which graph layer speaks behind a block."""
    if config.kind == "std":
        return 0 if block >= depth // 2 else None
    quarter = block * min(QUARTERS, depth) // depth
    return quarter - 1 if quarter else None


def _layer(width: int, config: StagConfig) -> GraphLayer:
    layer = GraphLayer(width, config)
    for each in layer.children():
        _started(each)
    return layer


def _started(layer: nn.Module) -> nn.Linear:
    assert isinstance(layer, nn.Linear)
    nn.init.trunc_normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)
    return layer


def count(config: StagConfig, anatomy: Anatomy) -> int:
    """D C + C for each projection, 3 (C² + C) + C D + D for each graph layer."""
    width, channels = anatomy.blocks[0].width, config.width
    downs, layers = parts(config, len(anatomy.blocks))
    layer = 3 * (channels**2 + channels) + channels * width + width
    return downs * (width * channels + channels) + layers * layer
