"""Batches of images that a network of timm cannot take, and those that it takes once padded."""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import PatchEmbed
from torch import Tensor, nn
from torch.nn import functional as F

from onlay.anatomy.inputs import refuse_other_inputs
from onlay.errors import DataError
from onlay_image.timm_types import TimmModule


def refuse_other_images(images: Tensor, embed: nn.Module) -> None:
    """Whoever compiles or exports a network has called it before.

    Raises:
        DataError: whole numbers, or channels that the patch embedding does not fit.
    """
    if torch.compiler.is_compiling():
        return
    refuse_other_inputs(images, "images (B, C, H, W)", 4)
    if not images.is_floating_point():
        kind = str(images.dtype).removeprefix("torch.")
        raise DataError(
            f"images must be prepared as `model.preprocessing` says (scaled to 0 to 1, less the"
            f" mean, by the standard deviation); these hold `{kind}`"
        )
    if isinstance(embed, PatchEmbed):
        _refuse_channels(images, embed)


def refuse_other_sizes(images: Tensor, embed: nn.Module) -> None:
    """Raise a `DataError` for a height or width that the patch embedding does not fit; while a
    network is compiled or exported it has been called before."""
    if isinstance(embed, PatchEmbed) and not torch.compiler.is_compiling():
        _refuse_size(images, embed)


def in_whole_patches(images: Tensor, model: TimmModule) -> Tensor:
    """Zeros, the mean colour, at the bottom and right, as timm's `dynamic_img_pad` puts them there;
    images of whole patches as they are."""
    height, width = (
        -size % patch for size, patch in zip(images.shape[-2:], patch_of(model), strict=True)
    )
    return F.pad(images, (0, width, 0, height)) if height or width else images


def patch_of(model: TimmModule) -> tuple[int, int]:
    """Height and width in pixels of a place on the first map."""
    height, width = model.patch_embed.feat_ratio(as_scalar=False)
    return height, width


def _refuse_channels(images: Tensor, embed: PatchEmbed) -> None:
    takes = getattr(embed.proj, "in_channels", images.shape[1])
    if images.shape[1] != takes:
        last = "; channels come first, `x.permute(0, 3, 1, 2)`" * (images.shape[3] == takes)
        raise DataError(
            f"the network takes images of {takes} channels, and these have {images.shape[1]}:"
            f" {tuple(images.shape)} as (B, C, H, W){last}"
        )


def _refuse_size(images: Tensor, embed: PatchEmbed) -> None:
    size = tuple(images.shape[2:])
    taken: Any = embed.img_size  # pairs, both; their annotations say more than they hold
    patch: Any = embed.patch_size
    if taken is not None and embed.strict_img_size and size != tuple(taken):
        raise DataError(
            f"the network takes images of {_by(taken)} pixels, and these have {_by(size)}"
        )
    if not embed.dynamic_img_pad and any(s % p for s, p in zip(size, patch, strict=True)):
        raise DataError(
            f"images of {_by(size)} pixels cannot be cut into patches of {_by(patch)} pixels"
        )


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
