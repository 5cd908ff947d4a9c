"""Facts about the backbone that travels inside this wheel; reading them imports no torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "vit_onlay_64"
FILE = "vit_onlay_64.safetensors"
SHA256 = "5b4c33f60b3b516e51100196d1d60e7028a021a40b65d3b350a14c905c272359"
ARCHITECTURE = {
    "img_size": 64,
    "patch_size": 8,
    "embed_dim": 192,
    "depth": 6,
    "num_heads": 3,
    "num_classes": 0,
}
"""Keyword arguments of `timm.models.vision_transformer.VisionTransformer`: the file
holds no classifier.
"""
MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)
INTERPOLATION = "bicubic"


def weights_path() -> Path:
    """Where the half-precision tensors lie, under timm's own names."""
    return Path(str(files(__name__) / FILE))
