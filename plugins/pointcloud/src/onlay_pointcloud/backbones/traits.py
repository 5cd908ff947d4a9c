"""What a backbone provides, told from its config alone; imports no torch."""

from __future__ import annotations

from onlay_pointcloud.backbones.config import PointBackbone

TRAITS = frozenset({"sequence", "points", "insertion", "extension"})


def provides(config: PointBackbone) -> frozenset[str]:
    """The traits; a class token can be left out of Point-MAE."""
    return TRAITS | ({"class_token"} if getattr(config, "class_token", True) else set())
