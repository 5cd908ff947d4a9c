"""Facts about the backbone that travels inside this wheel; reading them imports no torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "onlay_points"
FILE = "onlay_points.safetensors"
SHA256 = "c84287a7b0d73d046ad4ca491e0c4fece0f31e4e9cf9d856c9ce7b2bce40390e"
ARCHITECTURE = {
    "groups": 32,
    "group_size": 32,
    "width": 192,
    "depth": 6,
    "heads": 3,
    "embed": 192,
    "hidden": (64, 128, 256),
}
"""Keyword arguments of `onlay_pointcloud.network.point_mae.PointMae`: the file holds no head."""
NPOINTS = 1024
NORMALIZE = "unit_sphere"
"""What was done to the clouds of pretraining: centred, the farthest point at distance 1."""


def weights_path() -> Path:
    """Where the half-precision tensors lie, under Point-MAE's own names without a prefix."""
    return Path(str(files(__name__) / FILE))
