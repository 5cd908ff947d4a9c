"""Point-PEFT's step by geometry: tokens of neighbourhoods, and back.

Shapes: B batch, T tokens, P tokens with a place, S chosen centres, k neighbours, D width, h heads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.features import Layout, centres_of
from onlay_cloud_methods.graphs import gathered, nearest, picked, refuse_more, spread_out

if TYPE_CHECKING:
    from onlay_cloud_methods.config import PointPeftConfig

KEPT = "_onlay_point_peft_neighbours"
"""The attribute of centres that holds who is near whom, for as long as the centres themselves."""
TINY = 1e-8


class Neighbourhood(nn.Module):
    """t + attention(LN(t)) inside each neighbourhood, (B, S, k, D); the same for all blocks."""

    def __init__(self, width: int, config: PointPeftConfig) -> None:
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(width), config.attention_heads
        self.qkv = nn.Linear(width, 3 * config.attention_width, bias=False)
        self.proj = nn.Linear(config.attention_width, width)

    def forward(self, t_BSkD: Tensor) -> Tensor:
        wide = self.qkv(self.norm(t_BSkD)).unflatten(-1, (3, self.heads, -1))
        q, k, v = wide.permute(3, 0, 1, 4, 2, 5)
        scale = self.proj.in_features**-0.5  # of all heads together, as the authors have it
        mixed_BShkd = F.scaled_dot_product_attention(q, k, v, scale=scale)
        return t_BSkD + self.proj(mixed_BShkd.transpose(2, 3).flatten(-2))


class Geometry(nn.Module):
    """What neighbourhoods add to the tokens with a place, (B, T, D), nothing to others."""

    unfoldable = "neighbours depend on the cloud"
    shown = "step by geometry"
    meaning = "Length of what Point-PEFT's neighbourhoods add to each group at the block's end."

    def __init__(
        self,
        shared: Neighbourhood,
        points: nn.Parameter | None,
        config: PointPeftConfig,
        layout: Callable[[], Layout],
    ) -> None:
        super().__init__()
        self.shared, self.points, self.layout = shared, points, layout
        self.norm = nn.BatchNorm1d(shared.proj.out_features)
        self.neighbours, self.scale = config.neighbours, config.geometry_scale

    def forward(self, x_BTD: Tensor) -> Tensor:
        places_BP3 = self._places()
        own_BPD = x_BTD[:, -places_BP3.shape[1] :]
        chosen_BS, near_BSk = self._graph(places_BP3)
        pooled_BSD = self.shared(gathered(own_BPD, near_BSk)).amax(2)
        active = F.gelu(self.norm(pooled_BSD.flatten(0, 1))).view(pooled_BSD.shape)
        found_BSD = active + self.scale * picked(own_BPD, chosen_BS)
        back_BPS = closeness(places_BP3, picked(places_BP3, chosen_BS)).to(found_BSD.dtype)
        added = self.scale * (back_BPS @ found_BSD)
        before = added.new_zeros(added.shape[0], x_BTD.shape[1] - added.shape[1], added.shape[2])
        return torch.cat([before, added], 1)

    def shows(self, x_BTD: Tensor, added_BTD: Tensor) -> Tensor:
        return added_BTD.norm(dim=-1)

    def _places(self) -> Tensor:
        """Learned points, if the block has prompts, and centres: in the order of their tokens."""
        centres_BG3 = centres_of(self.layout())
        assert centres_BG3 is not None, "the method needs `points`"
        if self.points is None:
            return centres_BG3
        learned = self.points.to(centres_BG3.dtype).expand(centres_BG3.shape[0], -1, -1)
        return torch.cat([learned, centres_BG3], 1)

    def _graph(self, places_BP3: Tensor) -> tuple[Tensor, Tensor]:
        """Half as many centres as there are groups, and the neighbours of each."""
        centres_BG3 = centres_of(self.layout())
        assert centres_BG3 is not None
        if torch.compiler.is_compiling():  # a program keeps nothing from one pass to the next
            return self._made(places_BP3, centres_BG3.shape[1])
        kept = vars(centres_BG3).setdefault(KEPT, {})
        own = None if self.points is None else (id(self.points), self.points._version)
        if (own, self.neighbours) not in kept:
            kept[own, self.neighbours] = self._made(places_BP3, centres_BG3.shape[1])
        return kept[own, self.neighbours]

    def _made(self, places_BP3: Tensor, groups: int) -> tuple[Tensor, Tensor]:
        refuse_more(self.neighbours, groups)
        chosen_BS = spread_out(places_BP3.detach(), max(groups // 2, 1))
        near_BPk = nearest(places_BP3, self.neighbours)
        return chosen_BS, picked(near_BPk, chosen_BS)


def closeness(places_BP3: Tensor, centres_BS3: Tensor) -> Tensor:
    """Shares (B, P, S) of all centres in a place, by the inverse of the squared distance."""
    squared = (places_BP3[:, :, None] - centres_BS3[:, None]).square().sum(-1)
    weight = 1 / (squared + TINY)
    return weight / weight.sum(-1, keepdim=True)
