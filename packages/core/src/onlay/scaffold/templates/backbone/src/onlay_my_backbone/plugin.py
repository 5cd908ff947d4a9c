"""What this package registers; imports no torch, for every command of `onlay` reads it."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Backbone


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """The backbone, by import paths: they are followed when it is used."""
    yield Backbone(
        name="my_backbone",
        config="onlay_my_backbone.config:MyBackboneConfig",
        build="onlay_my_backbone.build:build",
        adopt="onlay_my_backbone.build:adopt",
        provides="onlay_my_backbone.config:provides",
        # What it reads: images (B, 3, H, W) or, with `points`, clouds (B, N, 3).
        modality="image",
        summary="a small vision transformer",
        # Small networks without pretrained weights, for the checks.
        examples=({"img_size": 16, "width": 16, "depth": 2, "heads": 2},),
    )
