"""Settings of the image backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt

from onlay.settings import Config


class TimmConfig(Config):
    """A vision transformer of timm: ViT, DeiT (distilled, too), DeiT-3, DINOv2, DINOv3, CLIP,
    SigLIP, BEiT, EVA-02, Swin, Swin-V2.
    """

    name: Literal["timm"] = "timm"

    model: str
    """timm's name with the tag of its weights (`vit_base_patch16_224.augreg_in21k`: an untagged
    name has meant different weights over time), or a hub's
    (`hf-hub:timm/vit_tiny_patch16_224.augreg_in21k`)."""

    pretrained: bool = True
    """Load timm's weights; `false` leaves the initialisation, the same every time."""

    weights: Path | None = None
    """A local checkpoint instead: safetensors, `.npz` of Google's ViT, or torch (read with
    `weights_only`).
    """

    img_size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    """Height and width of the input, one number for a square; position embeddings are interpolated
    by timm. What is no multiple of the patch is padded at the bottom and right by tasks that read
    maps, such as segmentation, and refused by others. Default: the model's own."""

    in_chans: PositiveInt | None = None
    """Channels of a picture: 1 for grey, more than 3 for pictures of many bands; timm makes the
    first layer's pretrained weights fit. Default: the model's own, red, green and blue."""

    drop_path: float | None = Field(default=None, ge=0, lt=1)
    """Stochastic depth while training, timm's `drop_path_rate`; default: the model's own (0.1 for
    Swin).
    """

    dynamic_img_size: bool = False
    """Take inputs of any size, not `img_size` alone: any at all for tasks that read maps, any that
    the patches divide for others."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of `timm.create_model` (`{"global_pool": "avg"}`). `embed_layer: stem`
    makes the patches of a ViT that one trains oneself by several small convolutions, which learn
    faster (Xiao et al. 2021)."""


class BundledConfig(Config):
    """The small ViT inside `onlay-image`: 64 pixels, self-supervised, on images that need no
    download.
    """

    name: Literal["onlay_vit_64"] = "onlay_vit_64"

    img_size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    """Height and width of the input, one number for a square; position embeddings are interpolated.
    Default: 64. As for `timm`, tasks that read maps take any, others multiples of 8."""

    in_chans: PositiveInt = 3
    """Channels of a picture: 1 for grey, more than 3 for pictures of many bands; the first layer's
    weights are made to fit, as timm does it."""

    dynamic_img_size: bool = False
    """Take inputs of any size, as for `timm`, not `img_size` alone."""

    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Stochastic depth while training, timm's `drop_path_rate`."""


class SmallCnnConfig(Config):
    """Four convolutions of 136,000 parameters, not pretrained: what a comparison trains from
    scratch, with `method: {name: full, start: random}`, to see whether a pretrained backbone
    pays."""

    name: Literal["small_cnn"] = "small_cnn"

    img_size: PositiveInt | tuple[PositiveInt, PositiveInt] = 64
    """Height and width to which images are brought, one number for a square, 8 or more."""

    in_chans: PositiveInt = 3
    """Channels of a picture."""
