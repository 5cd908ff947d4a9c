"""PPT, positional prompt tuning (arXiv:2408.11567; the authors' code is under MIT; read, not used).

Shapes: B batch, T tokens, G groups, E prompt tokens, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.errors import ConfigError
from onlay.features import Layout
from onlay_cloud_methods.graphs import refuse_more
from onlay_cloud_methods.thawed import class_size, thaw_class_token

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_cloud_methods.config import PptConfig

TRAINED = ("position", "tokens.first")
"""What trains of that which makes tokens."""


class Bottleneck(nn.Module):
    """up(GELU(down(x))), the same for all blocks."""

    unfoldable = "there is an activation between its layers"

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, inner), nn.Linear(inner, width)
        for layer in (self.down, self.up):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(F.gelu(self.down(x)))


class Copied(nn.Module):
    """The first groups once more, (B, E, D): a second sampling of centres from the same start finds
    the same ones, and one tokeniser makes the same tokens of them."""

    def __init__(self, count: int, layout: Callable[[], Layout]) -> None:
        super().__init__()
        self.count, self.layout = count, layout

    def forward(self, x_BTD: Tensor) -> Tensor:
        groups = self.layout().count
        refuse_more(self.count, groups, "tokens")
        return x_BTD[:, -groups:][:, : self.count]


class Positions(nn.Module):
    """Positions (B, G, D) of the groups as those of their copies, nothing for others."""

    unfoldable = "it acts on some of the tokens"

    def __init__(self, row: int, count: int) -> None:
        super().__init__()
        self.row, self.count = row, count

    def forward(self, position_BGD: Tensor) -> Tensor:
        zeros = torch.zeros_like(position_BGD)
        before = zeros[:, :1].expand(-1, self.row, -1)
        return torch.cat([before, position_BGD[:, : self.count], zeros], 1)


class Prompted(nn.Module):
    """What one bottleneck makes of prompt tokens and another one of groups, (B, T, D)."""

    unfoldable = Bottleneck.unfoldable
    shown = "prompt of a group"
    meaning = "Length of what PPT's bottleneck for groups adds to each group in front of the block."

    def __init__(self, prompts: Bottleneck, groups: Bottleneck, row: int, count: int) -> None:
        super().__init__()
        self.prompts, self.groups = prompts, groups
        self.row, self.count = row, count

    def forward(self, x_BTD: Tensor) -> Tensor:
        end = self.row + self.count
        before = torch.zeros_like(x_BTD[:, : self.row])
        added = self.prompts(x_BTD[:, self.row : end]), self.groups(x_BTD[:, end:])
        return torch.cat([before.to(added[0].dtype), *added], 1)

    def shows(self, x_BTD: Tensor, added_BTD: Tensor) -> Tensor:
        return added_BTD.norm(dim=-1)


def attach(place: Placement, config: PptConfig) -> None:
    """Prompt tokens stand behind those of pretraining and not behind the groups, which no attention
    can tell; they get positions as often as groups do.

    Raises:
        ConfigError: the backbone does not say how many groups it makes, and neither does `tokens`.
    """
    count, row = tokens_of(config, place.anatomy), place.anatomy.insertion_point
    made = [Bottleneck(place.blocks[0].width, config.bottleneck) for _ in range(3)]
    entry = place.site("tokens.in")
    place.insert(entry, Copied(count, place.layout(place.blocks[0])), entry, count=count)
    for block in place.blocks:
        enter = block.site("block.in")
        if _gets_positions(place.anatomy, block.index):
            place.branch(place.site("position.out"), enter, Positions(row, count))
        place.branch(enter, enter, Prompted(made[0], made[1], row, count))
        alone = place.anatomy.prefix > 1  # ReCon's learned tokens go another way than groups
        place.branch(
            block.site("mlp.res"), block.site("mlp.out" if alone else "block.out"), made[2]
        )
    for name in TRAINED if config.train_embedders else ():
        place.thaw(place.embedder(name))
    if config.train_class_token:
        thaw_class_token(place)


def _gets_positions(anatomy: Anatomy, block: int) -> bool:
    """Whether the network adds positions in front of a block."""
    if "position.out" not in anatomy.sites:
        return False  # then they are part of the tokens that are copied
    owner, name = anatomy.settings["position"]
    return block == 0 or getattr(owner, name) == "every_block"


def tokens_of(config: PptConfig, anatomy: Anatomy) -> int:
    if config.tokens is not None:
        return config.tokens
    if anatomy.patches is None:
        raise ConfigError(
            "`method.tokens` must be given, as this backbone does not say how many groups it makes"
        )
    return anatomy.patches


def count(config: PptConfig, anatomy: Anatomy) -> int:
    """3 (2 D b + b + D); the position's network, the tokeniser's first layers; the class token and
    its position."""
    width, inner = anatomy.blocks[0].width, config.bottleneck
    own = 3 * (2 * width * inner + inner + width)
    if config.train_embedders:
        own += sum(_size(anatomy.embedders[name].parameters()) for name in TRAINED)
    return own + (class_size(anatomy) if config.train_class_token else 0)


def _size(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)
