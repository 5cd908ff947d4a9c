"""The architectures to choose from, and how their tokens are made where some are hidden.

All are timm's `VisionTransformer` at 64 pixels, below 3 million parameters, which are 6 MB in half
precision.

Shape suffixes: V views, N patches, D width, T = 1 + N.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import build_sincos2d_pos_embed, resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from onlay_image.backbones.stem import STEM, with_stem
from onlay_image.bundled import ARCHITECTURE

_ONE = {key: value for key, value in ARCHITECTURE.items() if key != "embed_layer"}
NETWORKS: dict[str, dict[str, Any]] = {
    "shipped": ARCHITECTURE,
    "patch8": _ONE | {"patch_size": 8, "embed_dim": 192, "depth": 6, "num_heads": 3},
    "conv8": _ONE
    | {"patch_size": 8, "embed_dim": 192, "depth": 6, "num_heads": 3, "embed_layer": STEM},
    "deep8": _ONE
    | {"patch_size": 8, "embed_dim": 144, "depth": 10, "num_heads": 3, "embed_layer": STEM},
    "patch4": _ONE | {"patch_size": 4, "embed_dim": 192, "depth": 6, "num_heads": 3},
}
"""Facts as they stand in `onlay_image.bundled`. With a stem four convolutions make the patches;
`patch4` costs about four times as much as the others."""


def empty(name: str) -> VisionTransformer:
    """With timm's own start."""
    return VisionTransformer(**with_stem(NETWORKS[name]))


def built(name: str) -> VisionTransformer:
    network = empty(name)
    initialise(network)
    return network


@torch.no_grad()
def initialise(encoder: VisionTransformer) -> None:
    """MAE's start: Xavier weights, and sine-cosine positions as loud as the patches.

    timm's own (deviation 0.02 everywhere) suits wide networks and long schedules; from there
    hundreds of steps pass before content and position meet.
    """
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    if isinstance(encoder.patch_embed.proj, nn.Conv2d):
        nn.init.xavier_uniform_(encoder.patch_embed.proj.weight.flatten(1))
    rows, columns = encoder.patch_embed.grid_size
    encoder.pos_embed[:, 1:] = build_sincos2d_pos_embed([rows, columns], encoder.embed_dim)
    nn.init.normal_(encoder.cls_token, std=0.02)


def tokens(
    net: VisionTransformer,
    images_V3HW: Tensor,
    unknown_D: Tensor | None = None,
    hidden_VN: Tensor | None = None,
) -> Tensor:
    """(V, T, D) after the last norm, of pictures of any size that is whole patches."""
    grid_VDhw = net.patch_embed.proj(images_V3HW)
    x_VND = grid_VDhw.flatten(2).transpose(1, 2)
    if unknown_D is not None and hidden_VN is not None:
        x_VND = torch.where(hidden_VN[..., None], unknown_D.to(x_VND.dtype), x_VND)
    position = net.pos_embed
    if grid_VDhw.shape[-2:] != tuple(net.patch_embed.grid_size):
        position = resample_abs_pos_embed(position, list(grid_VDhw.shape[-2:]))
    cls_VD = (net.cls_token + position[:, :1]).expand(len(x_VND), -1, -1)
    return net.norm(net.blocks(torch.cat([cls_VD, x_VND + position[:, 1:]], 1)))
