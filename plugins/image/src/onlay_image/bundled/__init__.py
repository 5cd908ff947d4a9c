"""Facts about the backbone that travels inside this wheel; reading them imports no torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "vit_onlay_64"
FILE = "vit_onlay_64.safetensors"
SHA256 = "cba6dd6656b36c5b5a1a21bd4ba85b57846ce4c0019e6f3ad66c4472eb3e0618"
ARCHITECTURE = {
    "img_size": 64,
    "patch_size": 8,
    "embed_dim": 192,
    "depth": 6,
    "num_heads": 3,
    "num_classes": 0,
    "embed_layer": "stem",
}
"""Keyword arguments of `timm.models.vision_transformer.VisionTransformer`, but for `embed_layer`,
which is `onlay_image.backbones.stem`'s: patches made by small convolutions. The file holds no
classifier.
"""
MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)
INTERPOLATION = "bicubic"


def weights_path() -> Path:
    """Where the half-precision tensors lie, under timm's own names."""
    return Path(str(files(__name__) / FILE))
