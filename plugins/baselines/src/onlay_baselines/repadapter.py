"""RepAdapter (Luo et al., 2023, arXiv:2302.08106, section 3.2).

Shapes: B batch, T tokens, D width, d bottleneck, G groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.anatomy import Affine
from onlay.errors import ConfigError
from onlay_baselines.shown import UPDATE, UPDATE_MEANING, share

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.bottlenecks import RepadapterConfig


class Grouped(nn.Module):
    """x + s * up(dropout(down(x))); the second layer in groups: a G-th of the output reads a G-th
    of the bottleneck. No activation: it merges into what reads the site."""

    shown = UPDATE
    meaning = UPDATE_MEANING

    def __init__(self, width: int, config: RepadapterConfig) -> None:
        super().__init__()
        inner = config.bottleneck // config.groups
        self.down = nn.Linear(width, config.bottleneck)
        self.up = nn.Parameter(torch.zeros(config.groups, width // config.groups, inner))
        self.bias = nn.Parameter(torch.zeros(width))
        self.dropout, self.scale, self.sparsity = (
            nn.Dropout(config.dropout),
            config.scale,
            config.sparsity,
        )
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        groups, _, inner = self.up.shape
        h = self.dropout(self.down(x)).unflatten(-1, (groups, inner))
        y = torch.einsum("...gi,goi->...go", h, self.up).flatten(-2)
        return x + self.scale * (y + self.bias)

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return share(output - x, x)

    def auxiliary_loss(self) -> Tensor:
        """The norms of the second layer's weight and bias; at 0 their gradient counts as 0."""
        if not (self.training and self.sparsity):
            return self.bias.new_zeros(())
        return self.sparsity * (_norm(self.up) + _norm(self.bias))

    def affine(self) -> Affine:
        up = torch.block_diag(*self.up)
        weight = self.scale * up @ self.down.weight
        eye = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
        return Affine(eye + weight, self.scale * (up @ self.down.bias + self.bias))


def _norm(values: Tensor) -> Tensor:
    squares = values.square().sum()
    return torch.where(squares > 0, squares, 1.0).sqrt() * (squares > 0)


def attach(place: Placement, config: RepadapterConfig) -> None:
    """In front of attention and MLP of each block.

    Raises:
        ConfigError: a bottleneck or a width that the groups do not divide.
    """
    for block in place.blocks:
        refuse_uneven(block.width, config)
        for name in config.sites:
            place.rewrite(block.site(f"{name}.in"), Grouped(block.width, config))


def refuse_uneven(width: int, config: RepadapterConfig) -> None:
    for name, size in (("`method.bottleneck`", config.bottleneck), ("the backbone's width", width)):
        if size % config.groups:
            raise ConfigError(
                f"`method.groups` {config.groups} does not divide {name}, {size}: take another"
                " number of groups"
            )


def count(config: RepadapterConfig, anatomy: Anatomy) -> int:
    """D d + d + D d / G + D at each place."""
    d, groups = config.bottleneck, config.groups
    return len(config.sites) * sum(
        b.width * d + d + b.width * d // groups + b.width for b in anatomy.blocks
    )
