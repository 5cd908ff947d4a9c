"""Adapters in sequence: Houlsby et al. (ICML 2019, arXiv:1902.00751, section 2.1) and Pfeiffer et
al. (EACL 2021, arXiv:2005.00247, section 3.2).

Shapes: B batch, T tokens, D width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from onlay.narrow import Widening
from onlay_baselines.norms import own_norms, size_of
from onlay_baselines.shown import UPDATE, UPDATE_MEANING, share
from onlay_baselines.traits import starts_at_zero

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Placement
    from onlay_baselines.config.bottlenecks import AdapterConfig

NEAR_ZERO = 1e-3
"""Deviation of both matrices in Houlsby's code."""


class Bottleneck(nn.Module):
    """up(GELU(down(y))), (B, T, D); the GELU is the tanh form, as in the authors' code."""

    unfoldable = "an activation stands between its layers"
    shown = UPDATE
    meaning = UPDATE_MEANING

    def __init__(self, width: int, config: AdapterConfig) -> None:
        super().__init__()
        self.down = nn.Linear(width, config.bottleneck)
        self.up = Widening(config.bottleneck, width)
        for layer in (self.down, self.up):
            nn.init.trunc_normal_(layer.weight, std=NEAR_ZERO, a=-2 * NEAR_ZERO, b=2 * NEAR_ZERO)
            nn.init.zeros_(layer.bias)
        if starts_at_zero(config):
            nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
            nn.init.zeros_(self.up.weight)

    def forward(self, y: Tensor) -> Tensor:
        return self.up(F.gelu(self.down(y), approximate="tanh"))

    def shows(self, y: Tensor, output: Tensor) -> Tensor:
        return share(output, y)


def sites_of(config: AdapterConfig) -> tuple[str, ...]:
    return ("attn.out", "mlp.out") if config.kind == "houlsby" else ("mlp.out",)


def trains_norms(config: AdapterConfig) -> bool:
    return config.kind == "houlsby" if config.norms is None else config.norms


def attach(place: Placement, config: AdapterConfig) -> None:
    """At each site in sequence: y becomes y + adapter(y)."""
    for block in place.blocks:
        for name in sites_of(config):
            site = block.site(name)
            place.branch(site, site, Bottleneck(block.width, config))
        if trains_norms(config):
            for norm in own_norms(block.module):
                place.thaw(norm)


def count(config: AdapterConfig, anatomy: Anatomy) -> int:
    """2 D d + d + D for each adapter, and the copies of norms, 4 D a block."""
    d, norms = config.bottleneck, 0
    if trains_norms(config):
        norms = sum(size_of(norm) for b in anatomy.blocks for norm in own_norms(b.module))
    each = sum(2 * b.width * d + d + b.width for b in anatomy.blocks)
    return len(sites_of(config)) * each + norms
