"""Spectrum Modulation Adapter (2026, arXiv:2605.21147), from the spectrum of each frozen weight.

Shapes: o outputs and i inputs of a map, K parts, r_k the rank of one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy import Affine, Placement
from onlay_baselines.shown import WEIGHTS, WEIGHTS_MEANING, pooled
from onlay_baselines.updates import ENDS, refuse_above

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, FrozenMap
    from onlay_baselines.config.weights import SpectrumConfig


class Modulated(nn.Module):
    """(W + dW) x + b, where in the order of its spectrum dW is K blocks along the diagonal, each
    (alpha / r) (B_k A_k) * W. The order is kept in the bundle: it is made by a decomposition that
    another machine may end differently."""

    rows: Tensor
    columns: Tensor
    pictured = WEIGHTS
    meaning = (
        f"{WEIGHTS_MEANING} Rows and columns stand in the order of the spectrum, where what may"
        " change are blocks along the diagonal."
    )

    def __init__(self, map: FrozenMap, config: SpectrumConfig) -> None:
        super().__init__()
        self.twin, self.dropout = [map.twin()], config.dropout  # the twin is no child
        self.scale = config.alpha / config.rank
        weight = self.twin[0].weight.detach()
        rows, columns = order_of(weight)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)
        ranks = shares(config.rank, config.parts)
        cuts = [shares(size, config.parts) for size in weight.shape]
        sizes = list(zip(*cuts, ranks, strict=True))
        self.down = nn.ParameterList(torch.empty(r, i) for _, i, r in sizes)
        self.up = nn.ParameterList(torch.zeros(o, r) for o, _, r in sizes)
        for down in self.down:
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        changed = F.dropout(x, self.dropout, self.training)
        return self.twin[0](x) + F.linear(changed, self.change().to(x.dtype))

    def change(self) -> Tensor:
        """dW (o, i). The thin factors are put back in the map's order, not their product."""
        weight: Any = self.twin[0].weight.detach()
        up = torch.block_diag(*self.up).index_select(0, self.rows.argsort())
        down = torch.block_diag(*self.down).index_select(1, self.columns.argsort())
        return (self.scale * up) @ down * weight

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        return pooled(self.change()[self.rows][:, self.columns])

    def affine(self) -> Affine:
        layer = self.twin[0]
        change = self.change()
        return Affine(layer.weight.detach().to(change.dtype) + change, layer.bias)


def order_of(weight_oi: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns by where their energy lies in the spectrum, the strongest directions first:
    the mean index of singular values, weighted by what each contributes. In float32 and on the CPU,
    wherever the weight is."""
    if weight_oi.is_meta:
        return torch.arange(weight_oi.shape[0]), torch.arange(weight_oi.shape[1])
    u, s, vh = torch.linalg.svd(weight_oi.float().cpu(), full_matrices=False)
    places = torch.arange(len(s), dtype=u.dtype)
    found = []
    for directions in (u, vh.T):
        energy = (directions * s) ** 2
        score = energy @ places / energy.sum(1).clamp_min(torch.finfo(u.dtype).tiny)
        found.append(score.argsort(stable=True).to(weight_oi.device))
    return found[0], found[1]


def shares(size: int, parts: int) -> list[int]:
    """A size in parts as even as possible, the larger ones first.

    >>> shares(7, 3)
    [3, 2, 2]
    """
    return [size // parts + (part < size % parts) for part in range(parts)]


def attach(place: Placement, config: SpectrumConfig) -> None:
    """In the place of each map; of gate and value that are kept apart, each is a map."""
    for map in maps_of(place, config):
        least = min(map.module.weight.shape) // config.parts * config.parts
        refuse_above("rank", config.rank, least, f"`{map.path}` in {config.parts} parts")
        place.replace(map, Modulated(map, config))


def maps_of(place: Placement, config: SpectrumConfig) -> list[FrozenMap]:
    sites = ["attn.out" if name == "proj" else ENDS[name][1] for name in config.targets]
    return [map for b in place.blocks for site in sites for map in place.maps(b.site(site))]


def count(config: SpectrumConfig, anatomy: Anatomy) -> int:
    """The sum of r_k (i_k + o_k) over the parts of every map."""
    return sum(_of_map(map, config) for map in maps_of(Placement(anatomy), config))


def _of_map(map: FrozenMap, config: SpectrumConfig) -> int:
    ranks = shares(config.rank, config.parts)
    cuts = [shares(size, config.parts) for size in map.module.weight.shape]
    return sum(r * (i + o) for i, o, r in zip(*cuts, ranks, strict=True))
