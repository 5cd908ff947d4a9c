"""iConFormer's adapter, how it is placed, and how many parameters that makes.

Shapes: B batch, T tokens, D width, d rank, S tokens of the map or cloud, P tokens before them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from onlay.anatomy import refuse_wider
from onlay.errors import ConfigError
from onlay.features import centres_of, map_of
from onlay_iconformer.bounds import refuse_beyond_the_map
from onlay_iconformer.convolution import nearest_centres, on_map, on_points
from onlay_iconformer.kernels import GENERATORS, FilterNorm, KernelBound
from onlay_iconformer.shown import Change, Kernels

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy, Block, Placement
    from onlay.features import Layout
    from onlay_iconformer.config import IconformerConfig

SITES = {
    "parallel_ffn": ("mlp.res", "block.out"),
    "after_ffn": ("mlp.out", "mlp.out"),
    "after_attn": ("attn.out", "attn.out"),
}
"""Where the adapter reads and where it adds."""


KEPT = "_onlay_iconformer_neighbours"
"""The attribute of centres that holds their neighbours, by how many."""


class Neighbourhood(nn.Module):
    """Which groups are near which, computed once for all blocks of a forward pass."""

    def __init__(self, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours

    def forward(self, centres_BG3: Tensor) -> Tensor:
        if torch.compiler.is_compiling():  # a program keeps nothing from one pass to the next
            return self._indices(centres_BG3)
        kept = vars(centres_BG3).setdefault(KEPT, {})  # for as long as the centres themselves
        if self.neighbours not in kept:
            kept[self.neighbours] = self._indices(centres_BG3)
        return kept[self.neighbours]

    def _indices(self, centres_BG3: Tensor) -> Tensor:
        groups = centres_BG3.shape[1]
        if self.neighbours > groups:
            raise ConfigError(
                f"`method.neighbours` {self.neighbours} is more than the {groups} groups of a"
                f" cloud; take {groups} or fewer"
            )
        return nearest_centres(centres_BG3.detach(), self.neighbours)


class InputConditioned(nn.Module):
    """s * up(act(conv(down(x)))), the convolution with kernels that `down(x)` generates."""

    unfoldable = "its kernels depend on the input"

    def __init__(
        self,
        width: int,
        config: IconformerConfig,
        layout: Callable[[], Layout],
        near: Neighbourhood | None,
    ) -> None:
        super().__init__()
        rank, taps = config.rank, taps_of(config, points=near is not None)
        self.down, self.up = nn.Linear(width, rank), nn.Linear(rank, width)
        self.generator = GENERATORS[config.generator](rank, taps)
        if config.generator == "static":
            self.unfoldable = "an activation stands between its projections"
        norms = {"filter": lambda: FilterNorm(rank, taps), "bound": KernelBound}
        self.kernel_norm = norms.get(config.kernel_norm, nn.Identity)()
        self.activation = nn.ReLU() if config.activation == "relu" else nn.GELU()
        self.inner_residual = config.inner_residual
        self.centre = (0 if near is not None else taps // 2) if _centred(config) else None
        self.layout, self.near = layout, near
        scale = torch.tensor(config.scale)
        self.scale = nn.Parameter(scale) if config.learnable_scale else config.scale
        self.kernels, self.change = Kernels(), Change()
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for tensor in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(tensor)

    def forward(self, x: Tensor) -> Tensor:
        h_BTd = self.down(x.flatten(1, -2))
        grid = self._grid(x)
        tokens = math.prod(grid) if grid else self._centres().shape[1]
        first = h_BTd.shape[1] - tokens
        prefix_BPd, z_BSd = h_BTd[:, :first], h_BTd[:, first:]
        kernels_Bdk = self._generated(z_BSd, grid)
        self.kernels(kernels_Bdk, grid)
        y_BSd = self._convolved(z_BSd, kernels_Bdk, grid)
        if self.centre is not None:
            tapped = prefix_BPd * kernels_Bdk[:, None, :, self.centre]
            prefix_BPd = tapped + prefix_BPd if self.inner_residual else tapped
        a_BTd = self.activation(torch.cat([prefix_BPd, y_BSd], dim=1))
        out = (self.scale * self.up(a_BTd)).view(x.shape)
        self.change(out, x)
        return out

    def _generated(self, z_BSd: Tensor, grid: tuple[int, int] | None) -> Tensor:
        normed, device = isinstance(self.kernel_norm, FilterNorm), z_BSd.device.type
        if not (normed and torch.is_autocast_enabled(device)):
            return self.kernel_norm(self.generator(z_BSd, grid))
        with torch.autocast(device, enabled=False):  # a norm of few taps magnifies rounding
            return self.kernel_norm(self.generator(z_BSd.to(self.down.weight.dtype), grid))

    def _convolved(
        self, z_BSd: Tensor, kernels_Bdk: Tensor, grid: tuple[int, int] | None
    ) -> Tensor:
        kernels_Bdk = kernels_Bdk.to(z_BSd.dtype)
        if grid is not None:
            y_BSd = on_map(z_BSd.unflatten(1, grid), kernels_Bdk).flatten(1, 2)
        else:
            assert self.near is not None
            y_BSd = on_points(z_BSd, kernels_Bdk, self.near(self._centres()))
        return y_BSd + z_BSd if self.inner_residual else y_BSd

    def _grid(self, x: Tensor) -> tuple[int, int] | None:
        """Height and width: those of a map as it comes, else what the backbone says."""
        if x.ndim == 4:
            return x.shape[1], x.shape[2]
        return map_of(self.layout())

    def _centres(self) -> Tensor:
        centres_BG3 = centres_of(self.layout())
        assert centres_BG3 is not None, "`on_cloud` has asked for them"
        return centres_BG3


def attach(place: Placement, config: IconformerConfig) -> None:
    """One adapter in every block."""
    near = Neighbourhood(config.neighbours) if on_cloud(config, place.anatomy) else None
    if near is None:
        refuse_beyond_the_map(config.kernel_size, place.anatomy)
    source, target = SITES[config.placement]
    if near is not None and target == "block.out":
        target = "mlp.out"  # no LayerScale lies between, and ReCon's has its groups alone
    for block in place.blocks:
        refuse_wider("method.rank", config.rank, block.width)
        adapter = InputConditioned(block.width, config, place.layout(block), near)
        place.branch(block.site(source), block.site(target), adapter)


def on_cloud(config: IconformerConfig, anatomy: Anatomy) -> bool:
    """Whether the convolution runs over neighbouring groups."""
    return "points" in anatomy.provides and config.layout != "grid"


def taps_of(config: IconformerConfig, *, points: bool) -> int:
    return config.neighbours if points else config.kernel_size**2


def _centred(config: IconformerConfig) -> bool:
    return config.prefix_tokens == "centre_tap"


def count(config: IconformerConfig, anatomy: Anatomy) -> int:
    """2 D d + d + D for the projections of each block, d d k + d k for the linear generator, d k
    for the kernels' norm, 1 for a learnt scale; the head not counted."""
    return sum(block_count(block, config, anatomy) for block in anatomy.blocks)


def block_count(block: Block, config: IconformerConfig, anatomy: Anatomy) -> int:
    rank, taps = config.rank, taps_of(config, points=on_cloud(config, anatomy))
    total = 2 * block.width * rank + rank + block.width
    total += GENERATORS[config.generator].count(rank, taps)
    total += FilterNorm.count(rank, taps) if config.kernel_norm == "filter" else 0
    return total + config.learnable_scale
