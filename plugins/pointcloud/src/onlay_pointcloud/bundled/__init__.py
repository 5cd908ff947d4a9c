"""Facts about the backbone that travels inside this wheel; reading them imports no torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "onlay_points"
FILE = "onlay_points.safetensors"
SHA256 = "8d32bfad858cdf423038d70248b2a86af542f8516bcc9eb7c7494f2eeccf879f"
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
