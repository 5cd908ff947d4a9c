"""A small ViT of timm's, built from outside and by its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
from torch import nn

from onlay.errors import OnlayError
from onlay_image.backbones.config import TimmConfig

VIT = {"embed_dim": 48, "num_heads": 3, "depth": 2, "num_classes": 5}


def vit(**kwargs: Any) -> nn.Module:
    return timm.create_model("vit_tiny_patch16_224", **(VIT | {"img_size": 32} | kwargs)).eval()


def config(
    path: Path | None = None, model: str = "vit_tiny_patch16_224", **kwargs: Any
) -> TimmConfig:
    sizes = {name: VIT[name] for name in ("embed_dim", "num_heads", "depth")}
    own = {"pretrained": False, "img_size": 32, "model_kwargs": sizes}
    return TimmConfig(model=model, weights=path, **(own | kwargs))


def one_sentence(error: pytest.ExceptionInfo[OnlayError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text
