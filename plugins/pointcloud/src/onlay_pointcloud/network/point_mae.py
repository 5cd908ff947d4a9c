"""Point-MAE's layout (Pang et al. 2022), which ACT, Point-BERT and ReCon share.

Shapes: B batch, N points, G groups, K points of a group, P prefix tokens, T = P + G, D width, E
width that the group encoder gives.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from onlay_pointcloud.network.blocks import Block, Blocks, Position, ReConBlock
from onlay_pointcloud.network.grouping import Grouping
from onlay_pointcloud.network.mini_pointnet import MiniPointNet


class PointMae(nn.Module):
    """Groups of points as tokens, a class token in front, pre-norm blocks. No head."""

    block: ClassVar[type[Block]] = Block
    prefixes: tuple[str, ...] = ("cls",)
    """Tokens before the groups; each is a `{name}_token` with a `{name}_pos`."""

    def __init__(
        self,
        *,
        groups: int,
        group_size: int,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        embed: int = 384,
        hidden: tuple[int, int, int] = (128, 256, 512),
        drop_path: float = 0.0,
        position: Position = "every_block",
        skip_near_origin: bool = False,
        class_token: bool = True,
    ) -> None:
        super().__init__()
        if not class_token:
            self.prefixes = ()
        for name in self.prefixes:
            for part in ("token", "pos"):
                self.register_parameter(f"{name}_{part}", _started(width))
        self.group = Grouping(groups, group_size, skip_near_origin=skip_near_origin)
        self.encoder = MiniPointNet(embed, hidden)
        self.reduce_dim = nn.Identity() if embed == width else nn.Linear(embed, width)
        self.pos_embed = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, width))
        self.blocks = Blocks(
            self.block,
            width=width,
            depth=depth,
            heads=heads,
            prefix=len(self.prefixes),
            drop_path=drop_path,
            position=position,
        )
        self.norm = nn.LayerNorm(width)
        self.last_norm = True
        """Whether tokens leave behind the norm; an adapter may leave it out."""

    def forward(self, points_BN3: Tensor) -> Tensor:
        """Tokens (B, P + G, D) after the last norm."""
        return self.forward_groups(*self.group(points_BN3[..., :3]))

    def forward_groups(self, patches_BGK3: Tensor, centres_BG3: Tensor) -> Tensor:
        """The same from groups that are already made."""
        return self.forward_tokens(self.embedded(patches_BGK3), centres_BG3)

    def embedded(self, patches_BGK3: Tensor) -> Tensor:
        """A token (B, G, D) of each group."""
        own = self.norm.weight.dtype  # groups are made in float32, whatever the network is in
        return self.reduce_dim(self.encoder(patches_BGK3.to(own)))

    def forward_tokens(self, tokens_BGD: Tensor, centres_BG3: Tensor) -> Tensor:
        """The tokens (B, P + G, D) that come of those of groups."""
        x_BTD = torch.cat([*self._prefix("token", tokens_BGD), tokens_BGD], dim=1)
        pos_BGD = self.pos_embed(centres_BG3.to(self.norm.weight.dtype))
        pos_BTD = torch.cat([*self._prefix("pos", pos_BGD), pos_BGD], dim=1)
        return self.normed(self.blocks(x_BTD, pos_BTD))

    def normed(self, x_BTD: Tensor) -> Tensor:
        """Behind the last norm, unless it is left out."""
        return self.norm(x_BTD) if self.last_norm else x_BTD

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute blocks in the backward pass."""
        self.blocks.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Tokens; their positions decay. So it is in the code of Point-MAE and of what came of
        it."""
        return {f"{name}_token" for name in self.prefixes}

    def _prefix(self, part: str, like_BGD: Tensor) -> list[Tensor]:
        batch = like_BGD.shape[0]
        return [getattr(self, f"{name}_{part}").expand(batch, -1, -1) for name in self.prefixes]


class ReCon(PointMae):
    """ReCon as its authors fine-tune it: three learned tokens read the patches by
    cross-attention."""

    block = ReConBlock
    prefixes = ("cls", "img", "text")


def _started(width: int) -> nn.Parameter:
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=0.02))
