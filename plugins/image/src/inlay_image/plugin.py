"""What this distribution brings. Registering imports neither torch nor timm."""

from __future__ import annotations

from collections.abc import Iterable

from inlay.descriptors import Backbone
from inlay.hooks import hookimpl


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """timm's transformers, and one that needs no download."""
    from inlay_image.backbones.config import TimmConfig

    yield Backbone(
        name="timm",
        config=TimmConfig,
        build="inlay_image.backbones.build:build",
        modality="image",
        summary="ViT, BEiT, EVA-02, DINOv3, Swin and Swin-V2 of timm",
        provides="inlay_image.backbones.traits:provides",
        adopt="inlay_image.backbones.build:adopt",
        catch_all="model",
    )
