"""Small parts of which every family's blocks are put together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from onlay.anatomy import (
    BLOCK_SITES,
    Block,
    FoldTarget,
    GivenTo,
    InputOf,
    ModuleTarget,
    OutputOf,
    Site,
)
from onlay.anatomy.ports import Port
from onlay.anatomy.targets import refuse_computed, wide
from onlay.errors import AnatomyError, CannotFold
from onlay_image.anatomy.apart import Apart, ApartTarget
from onlay_image.timm_types import TimmModule


class ScaleTarget:
    """A norm that scales and cannot shift (RMS norm)."""

    diagonal, pooled = True, False

    def __init__(self, norm: TimmModule) -> None:
        self.norm = norm

    def read(self) -> tuple[Tensor, Tensor]:
        refuse_computed(self.norm)
        weight = wide(self.norm.weight)
        return weight, torch.zeros_like(weight)

    def write(self, weight: Tensor, shift: Tensor) -> None:
        if shift.any():
            raise CannotFold("the norm that writes this tensor has no bias")
        self.norm.weight.data.copy_(weight)


def norm_target(norm: TimmModule) -> FoldTarget | None:
    """What an adapter after a norm can be folded into; `None` for the identity and for a norm
    without weight.
    """
    if getattr(norm, "weight", None) is None:
        return None
    return (
        ModuleTarget(norm, diagonal=True) if isinstance(norm, nn.LayerNorm) else ScaleTarget(norm)
    )


class FirstMap(NamedTuple):
    """What computes `fc1.out`."""

    port: Port
    target: FoldTarget
    width: int


def first_map(mlp: TimmModule) -> FirstMap:
    """`fc1` of an MLP, or `fc1_g` and `fc1_x` of SwiGLU as one, the gate first, as timm's packed
    SwiGLU has it.

    Raises:
        AnatomyError: an MLP of another kind, whose sites are not known.
    """
    names = ("fc1",) if hasattr(mlp, "fc1") else ("fc1_g", "fc1_x")
    if not all(hasattr(mlp, name) for name in (*names, "fc2")):
        raise AnatomyError(
            f"a model with MLPs of kind `{type(mlp).__name__}` cannot be adapted;"
            " supported are those with `fc1` and `fc2`, and SwiGLU"
        )
    maps = [getattr(mlp, name) for name in names]
    width = sum(map.out_features for map in maps)
    if len(maps) == 1:
        return FirstMap(OutputOf(maps[0]), ModuleTarget(maps[0]), width)
    return FirstMap(Apart(maps), ApartTarget(maps), width)


def fc2_in(mlp: TimmModule, at: str) -> Site:
    """What the second layer of an MLP reads: behind activation, gate and inner norm."""
    inner = norm_target(getattr(mlp, "norm", None))
    width, readers = mlp.fc2.in_features, [ModuleTarget(mlp.fc2)]
    return Site("fc2.in", at + "fc2.in", width, InputOf(mlp.fc2), inner, readers)


def pixels(model: TimmModule) -> Site:
    """The images (B, C, H, W) that the patch embedding is given."""
    port, why = GivenTo(model.patch_embed), "no weight writes the images that a network is given"
    return Site("input", "input", model.in_chans, port, unfoldable=why, axis=-3)


def assemble(
    module: TimmModule, index: int, width: int, sites: Iterable[Site], *, norm_behind: bool = False
) -> Block:
    """A block with its sites in the order in which data meets them."""
    ordered = sorted(sites, key=lambda site: BLOCK_SITES.index(site.name))
    by_name = {site.name: site for site in ordered}
    heads, norm = module.attn.num_heads, module.norm2
    return Block(index, width, by_name, module, heads, norm, norm_behind)


def embed_target(patch_embed: TimmModule) -> FoldTarget | None:
    """What writes the patch tokens: the norm after the patch projection, else the projection
    itself, or the last of its convolutions.
    """
    norm, projection = getattr(patch_embed, "norm", None), getattr(patch_embed, "proj", None)
    if isinstance(projection, nn.Sequential):
        projection = projection[-1]
    if norm is None or isinstance(norm, nn.Identity):
        return ModuleTarget(projection) if isinstance(projection, nn.Conv2d) else None
    return norm_target(norm)
