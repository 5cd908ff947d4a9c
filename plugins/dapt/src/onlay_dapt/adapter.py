"""DAPT's adapter and internal prompt, how they are placed, and how many parameters that makes.

Shapes: B batch, T tokens, D width, r rank.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import refuse_wider
from onlay_dapt.frugal import normed_linear, scaled_linear
from onlay_dapt.scale_and_shift import ScaleAndShift
from onlay_dapt.token_scale import TokenScale

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Block, Placement
    from onlay_dapt.config import DaptConfig

BLOCK_SITES = ("attn.in", "qkv.out", "attn.out", "mlp.in", "fc1.out", "mlp.out")
WHOLE_SITES = ("embed.out", "norm.out")
READER_KEEPS = ("qkv.out", "mlp.in", "fc1.out")
"""Sites whose tensor attention, the adapter's norm and GELU keep for the backward pass."""


class DynamicAdapter(nn.Module):
    """s * (up(dropout(GELU(down(u)))) with u = LN(z) and s = ReLU(w u + b), one for each token
    ; s multiplies the up-projection's bias, too."""

    unfoldable = "its scale differs from token to token"

    def __init__(
        self, width: int, rank: int, dropout: float, block: int = 0, score_bias: float = 0.0
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.score, self.scale = nn.Linear(width, 1), TokenScale(block)
        self.down, self.up = nn.Linear(width, rank), nn.Linear(rank, width)
        self.dropout = nn.Dropout(dropout)
        for linear in (self.score, self.down):
            nn.init.kaiming_uniform_(linear.weight, a=math.sqrt(5))
            nn.init.zeros_(linear.bias)
        nn.init.constant_(self.score.bias, score_bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, z_BTD: Tensor) -> Tensor:
        weight = torch.cat([self.score.weight, self.down.weight])
        bias = torch.cat([self.score.bias, self.down.bias])
        score_BT1, h_BTr = normed_linear(z_BTD, self.norm, weight, bias).split(
            [1, len(weight) - 1], dim=-1
        )
        m_BTr = self.dropout(F.gelu(h_BTr))
        return scaled_linear(m_BTr, self.scale(score_BT1), self.up.weight, self.up.bias)


class InternalPrompt(nn.Module):
    """One token of what a block's adapter put out: T(mean of GELU(a)), (B, 1, D)."""

    def __init__(self, transform: nn.Module, pooling: str) -> None:
        super().__init__()
        self.transform, self.pooling = transform, pooling

    def forward(self, a_BTD: Tensor) -> Tensor:
        active_BTD = F.gelu(a_BTD)
        if self.pooling == "max":
            return self.transform(active_BTD.amax(1, keepdim=True))
        return self.transform(active_BTD.mean(1, keepdim=True))


def attach(place: Placement, config: DaptConfig) -> None:
    """Scale-and-shift first, so that the adapter reads the scaled input and its output is added
    unscaled; both inside drop-path."""
    if config.scale_and_shift:
        for name in (n for n in WHOLE_SITES if n in place.anatomy.sites):
            place.rewrite(place.site(name), ScaleAndShift(place.site(name).width))
    for block in place.blocks:
        adapt_block(place, block, config)
    for thawed in (place.anatomy.class_token, place.anatomy.class_position):
        if thawed is not None:
            place.thaw(getattr(*thawed))
    if config.position != "backbone" and "position" in place.anatomy.settings:
        place.set("position", config.position)
    if not config.freeze_bn:
        place.thaw_statistics()


def adapt_block(place: Placement, block: Block, config: DaptConfig) -> None:
    refuse_wider("method.rank", config.rank, block.width)
    if config.scale_and_shift:
        for name in BLOCK_SITES:
            site = block.site(name)
            place.rewrite(site, ScaleAndShift(site.width, keeps_output=name in READER_KEEPS))
    adapter = DynamicAdapter(
        block.width, config.rank, config.dropout, block.index, config.score_bias
    )
    branch = place.branch(block.site("mlp.in"), block.site("mlp.out"), adapter)
    if config.prompts:
        transform = ScaleAndShift(block.width) if config.scale_and_shift else nn.Identity()
        prompt = InternalPrompt(transform, config.prompt_pooling)
        place.insert(block, prompt, source=branch, count=1)


def count(config: DaptConfig, anatomy: Anatomy) -> int:
    """Adapters 4 D + 1 + (2 D + 1) r a block, twice the channels of every scale-and-shift, class
    token and its position; the head not counted."""
    total = 0
    for block in anatomy.blocks:
        total += 4 * block.width + 1 + (2 * block.width + 1) * config.rank
        if config.scale_and_shift:
            total += 2 * sum(block.site(name).width for name in BLOCK_SITES)
            total += 2 * block.width * config.prompts
    if config.scale_and_shift:
        total += 2 * sum(anatomy.sites[n].width for n in WHOLE_SITES if n in anatomy.sites)
    thawed = [t for t in (anatomy.class_token, anatomy.class_position) if t is not None]
    return total + sum(getattr(*owner_and_name).numel() for owner_and_name in thawed)
