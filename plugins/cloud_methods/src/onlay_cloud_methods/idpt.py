"""IDPT, instance-aware dynamic prompts (Zha et al., ICCV 2023, arXiv:2304.07221, section 3).

Shapes: B batch, T tokens, G groups, k neighbours, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.errors import ConfigError
from onlay.features import Layout
from onlay_cloud_methods.graphs import gathered, nearest
from onlay_cloud_methods.thawed import class_size, thaw_class_token

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_cloud_methods.config import IdptConfig

LAYERS = 3
SLOPE = 0.2


class EdgeLayer(nn.Module):
    """max over neighbours in features of LeakyReLU(norm(W [f_j - f_i, f_i])), (B, G, D)."""

    def __init__(self, width: int, neighbours: int) -> None:
        super().__init__()
        self.map, self.norm = nn.Linear(2 * width, width, bias=False), nn.BatchNorm1d(width)
        self.neighbours = neighbours

    def forward(self, f_BGD: Tensor) -> Tensor:
        others_BGkD = gathered(f_BGD, nearest(f_BGD, self.neighbours))
        own_BGkD = f_BGD[:, :, None].expand_as(others_BGkD)
        edges = self.map(torch.cat([others_BGkD - own_BGkD, own_BGkD], -1))
        return activated(self.norm, edges).amax(2)


def activated(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """LeakyReLU of the norm over all but the last axis."""
    return F.leaky_relu(norm(x.flatten(0, -2)).view(x.shape), SLOPE)


class Generator(nn.Module):
    """One token (B, 1, D) from the groups among tokens (B, T, D), whatever their order."""

    shown = "share of the prompt"
    meaning = "Of the channels of IDPT's prompt, the share that has its maximum in this group."

    def __init__(self, width: int, config: IdptConfig, layout: Callable[[], Layout]) -> None:
        super().__init__()
        self.edges = nn.ModuleList(EdgeLayer(width, config.neighbours) for _ in range(LAYERS))
        self.join, self.norm = nn.Linear(LAYERS * width, width, bias=False), nn.BatchNorm1d(width)
        self.layout = layout

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self._of_groups(x_BTD).amax(1, keepdim=True)

    def _of_groups(self, x_BTD: Tensor) -> Tensor:
        """(B, G, D)."""
        f_BGD, found = x_BTD[:, -self.layout().count :], []
        for layer in self.edges:
            f_BGD = layer(f_BGD)
            found.append(f_BGD)
        return activated(self.norm, self.join(torch.cat(found, -1)))

    def shows(self, x_BTD: Tensor, prompt_B1D: Tensor) -> Tensor:
        first_BD = self._of_groups(x_BTD).argmax(1)
        shares = x_BTD.new_zeros(x_BTD.shape[:2])
        rows = first_BD + x_BTD.shape[1] - self.layout().count
        return shares.scatter_add(1, rows, torch.full_like(prompt_B1D[:, 0], 1 / rows.shape[1]))


class Placed(nn.Module):
    """The token's position, drawn once and never trained, added in front of a block."""

    unfoldable = "it acts on one token"
    position: Tensor

    def __init__(self, position_D: Tensor, row: int) -> None:
        super().__init__()
        self.register_buffer("position", position_D)
        self.row = row

    def forward(self, x_BTD: Tensor) -> Tensor:
        before = self.position.new_zeros(self.row, len(self.position))
        rest = self.position.new_zeros(x_BTD.shape[1] - self.row - 1, len(self.position))
        return x_BTD + torch.cat([before, self.position[None], rest])


def attach(place: Placement, config: IdptConfig) -> None:
    """The generator reads what the block before puts out, without positions.

    Raises:
        ConfigError: the backbone has no such block.
    """
    first = first_block(config, len(place.blocks))
    entry = place.site("tokens.in") if first == 0 else place.blocks[first - 1].site("block.out")
    width = place.blocks[first].width
    generator = Generator(width, config, place.layout(place.blocks[max(first - 1, 0)]))
    where = entry if first == 0 else place.blocks[first - 1]
    place.insert(where, generator, entry)
    position_D = nn.init.trunc_normal_(torch.empty(width), std=0.02)
    for block in place.blocks[first:]:
        placed = Placed(position_D.clone(), place.anatomy.insertion_point)
        place.rewrite(block.site("block.in"), placed)
    if config.train_class_token:
        thaw_class_token(place)


def first_block(config: IdptConfig, depth: int) -> int:
    if config.layer is not None and config.layer >= depth:
        raise ConfigError(
            f"`method.layer` is {config.layer}, and the backbone has blocks 0 to {depth - 1}"
        )
    return depth - 1 if config.layer is None else config.layer


def count(config: IdptConfig, anatomy: Anatomy) -> int:
    """3 (2 D² + 2 D) + 3 D² + 2 D; the class token and its position."""
    width = anatomy.blocks[0].width
    own = LAYERS * (2 * width**2 + 2 * width) + LAYERS * width**2 + 2 * width
    return own + (class_size(anatomy) if config.train_class_token else 0)
