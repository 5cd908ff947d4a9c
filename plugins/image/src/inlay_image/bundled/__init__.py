"""Facts about the backbone that travels inside this wheel; reading them imports no torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "vit_inlay_64"
FILE = "vit_inlay_64.safetensors"
SHA256 = "a3cd87039351856ef02d45cb11c092fa47d42be7ea7fa24a7ad417c08ef590e6"
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
