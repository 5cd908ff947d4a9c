"""Point-PEFT (Tang et al., AAAI 2024, arXiv:2310.03059). Their code has no licence and was not
used; what is a reading stands at the fields of `PointPeftConfig` and in the documentation.

Shapes: B batch, T tokens, D width, r that are remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.errors import ConfigError
from onlay_cloud_methods.geometry import Geometry, Neighbourhood
from onlay_cloud_methods.memory import CloudFeature, Memory
from onlay_cloud_methods.thawed import class_size, thaw_class_token

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Block, Placement
    from onlay.anatomy.wires import Wire
    from onlay_cloud_methods.config import PointPeftConfig


class Bottleneck(nn.Module):
    """scale * up(QuickGELU(down(x)))."""

    unfoldable = "an activation stands between its layers"

    def __init__(self, width: int, rank: int, scale: float = 1.0) -> None:
        super().__init__()
        self.down, self.up, self.scale = nn.Linear(width, rank), nn.Linear(rank, width), scale
        for layer in (self.down, self.up):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        h = self.down(x)
        return self.scale * self.up(h * (1.702 * h).sigmoid())


class Prompts(nn.Module):
    """Learned tokens plus what the cloud remembers, m + bottleneck(m), (B, 2 + r, D)."""

    def __init__(self, width: int, config: PointPeftConfig) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(many(config), width))
        nn.init.trunc_normal_(self.tokens, std=0.02)
        self.remembers = Bottleneck(width, config.memory_rank)

    def forward(self, memory_BmD: Tensor) -> Tensor:
        return self.tokens + memory_BmD + self.remembers(memory_BmD)


def attach(place: Placement, config: PointPeftConfig) -> None:
    """Prompts come in front of each of the first blocks and leave behind it.

    Raises:
        ConfigError: the backbone has fewer blocks than are to be prompted.
    """
    width, first = place.blocks[0].width, prompted(config, len(place.blocks))
    shared, points = Neighbourhood(width, config), None
    if first:
        points = nn.Parameter(torch.empty(many(config), 3).uniform_(-1, 1))
        remember(place, config, first)
    for block in place.blocks:
        own = points if block.index < first else None
        geometry = Geometry(shared, own, config, place.layout(block))
        adapt_block(place, block, config, geometry)
    for parameter in _thawed(place.anatomy):
        place.thaw(parameter)
    if config.train_class_token:
        thaw_class_token(place)


def remember(place: Placement, config: PointPeftConfig, first: int) -> None:
    """One memory for all blocks, from the tokens that enter the first one."""
    entry, width = place.site("tokens.in"), place.blocks[0].width
    feature = CloudFeature(config.feature, place.layout(place.blocks[0]))
    memory = Memory(width, config, feature, place.anatomy)
    remembered: Wire = place.carry(place.carry(entry, feature), memory)
    for block in place.blocks[:first]:
        where = place.blocks[block.index - 1] if block.index else entry
        prompts = Prompts(width, config)
        place.insert(where, prompts, remembered, count=many(config), until=block)


def adapt_block(
    place: Placement, block: Block, config: PointPeftConfig, geometry: Geometry
) -> None:
    mlp, end = block.site("mlp.out"), block.site("block.out")
    place.branch(mlp, mlp, Bottleneck(block.width, config.rank, config.adapter_scale))
    steps: list[nn.Module] = [geometry, Bottleneck(block.width, config.rank)]
    for step in steps if config.order == "geometry_first" else reversed(steps):
        place.branch(end, end, step)


def many(config: PointPeftConfig) -> int:
    """Prompts of a block, and learned points."""
    return config.remembered + 2


def prompted(config: PointPeftConfig, depth: int) -> int:
    if config.prompted is not None and config.prompted > depth:
        raise ConfigError(f"`method.prompted` {config.prompted} is more than the {depth} blocks")
    return max(depth // 2, 1) if config.prompted is None else config.prompted


def _thawed(anatomy: Anatomy) -> Iterator[nn.Parameter]:
    """The biases of the blocks, and the last norm."""
    for block in anatomy.blocks:
        named = block.module.named_parameters()
        yield from (parameter for name, parameter in named if name.endswith("bias"))
    norm = getattr(anatomy.sites["norm.out"].writer, "module", None)
    yield from norm.parameters() if norm is not None else ()


def count(config: PointPeftConfig, anatomy: Anatomy) -> int:
    """For each block two bottlenecks and 2 D of a norm, for each prompted one (2 + r) D and a
    bottleneck, the attention and the points of all, and what is thawed."""
    width, blocks = anatomy.blocks[0].width, len(anatomy.blocks)
    first, attention = prompted(config, blocks), config.attention_width
    own = blocks * (2 * _bottleneck(width, config.rank) + 2 * width)
    own += first * (many(config) * width + _bottleneck(width, config.memory_rank))
    own += 2 * width + 4 * width * attention + width + (3 * many(config) if first else 0)
    own += sum(parameter.numel() for parameter in _thawed(anatomy))
    return own + (class_size(anatomy) if config.train_class_token else 0)


def _bottleneck(width: int, rank: int) -> int:
    return 2 * width * rank + rank + width
