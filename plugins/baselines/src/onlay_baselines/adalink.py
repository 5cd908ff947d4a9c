"""AdaLink (Wang et al., 2023, arXiv:2310.12100, section 3).

Shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Affine
from onlay.errors import AnatomyError
from onlay.narrow import Widening
from onlay_baselines.shown import UPDATE, UPDATE_MEANING, share
from onlay_baselines.updates import refuse_above

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement, Site
    from onlay_baselines.config.bottlenecks import AdalinkConfig


class Link(nn.Module):
    """x + up(f(down(x))), (B, T, D); the identity at the start."""

    affine: Any
    shown = UPDATE
    meaning = UPDATE_MEANING

    def __init__(self, width: int, config: AdalinkConfig) -> None:
        super().__init__()
        self.down = nn.Linear(width, config.rank, bias=config.bias)
        self.up = Widening(config.rank, width, bias=config.bias)
        self.gelu = config.activation == "gelu"
        if self.gelu:
            self.unfoldable = "an activation stands between its layers"
        else:
            self.affine = self._affine
        nn.init.zeros_(self.up.weight)
        if config.bias:
            nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.down(x)
        return x + self.up(F.gelu(h) if self.gelu else h)

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return share(output - x, x)

    def _affine(self) -> Affine:
        weight = self.up.weight @ self.down.weight
        eye = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
        if self.up.bias is None:
            return Affine(eye + weight)
        return Affine(eye + weight, self.up.weight @ self.down.bias + self.up.bias)


def attach(place: Placement, config: AdalinkConfig) -> None:
    """Once, in front of the first block."""
    site = site_of(config, place.anatomy)
    refuse_above("rank", config.rank, site.width, f"`{site.name}`")
    place.rewrite(site, Link(site.width, config))


def site_of(config: AdalinkConfig, anatomy: Anatomy) -> Site:
    """Where the bottleneck stands; the first block's entry where a backbone has no other site."""
    wanted = ("embed.out", "tokens.in") if config.site == "auto" else (config.site,)
    found = [anatomy.sites[name] for name in wanted if name in anatomy.sites]
    if not found and config.site != "auto":
        raise AnatomyError(f"this backbone has no site `{config.site}`: leave `method.site` out")
    return found[0] if found else anatomy.blocks[0].site("block.in")


def count(config: AdalinkConfig, anatomy: Anatomy) -> int:
    """2 D r, with biases r + D more."""
    width = site_of(config, anatomy).width
    return 2 * width * config.rank + config.bias * (config.rank + width)
