"""What a backbone provides, told from its config alone; imports no torch."""

from __future__ import annotations

from onlay_pointcloud.backbones.config import PointBackbone, SmallPointNetConfig

TRAITS = frozenset({"sequence", "points", "insertion", "extension"})

POINTWISE = frozenset({"points"})


def provides(config: PointBackbone | SmallPointNetConfig) -> frozenset[str]:
    """The traits; a class token can be left out of Point-MAE."""
    if isinstance(config, SmallPointNetConfig):
        return POINTWISE
    return TRAITS | ({"class_token"} if getattr(config, "class_token", True) else set())
