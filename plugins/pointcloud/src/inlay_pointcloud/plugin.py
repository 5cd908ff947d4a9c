"""What this distribution brings. Registering imports neither torch nor a reader of files."""

from __future__ import annotations

from collections.abc import Iterable

from inlay.descriptors import Backbone
from inlay.hooks import hookimpl


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """Point-MAE's layout with the weights of several authors."""
    for name, config, summary in (
        ("point_mae", "PointMaeConfig", "Point-MAE (ECCV 2022), 22 M parameters"),
        ("act", "ActConfig", "ACT (ICLR 2023), Point-MAE's layout"),
        ("point_bert", "PointBertConfig", "Point-BERT (CVPR 2022)"),
        ("recon", "ReConConfig", "ReCon (ICML 2023) as published, 44 M parameters"),
        ("recon_as_mae", "ReConAsMaeConfig", "ReCon's weights in Point-MAE's forward pass"),
    ):
        yield Backbone(
            name=name,
            config=f"inlay_pointcloud.backbones.config:{config}",
            build="inlay_pointcloud.backbones.build:build",
            modality="points",
            summary=summary,
            provides="inlay_pointcloud.backbones.traits:provides",
            adopt="inlay_pointcloud.backbones.build:adopt",
        )
