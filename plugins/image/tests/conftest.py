"""Tiny models of every supported kind, with weights that leave no path without effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import nn

SMALL = {"embed_dim": 48, "num_heads": 3, "depth": 2, "img_size": 32, "num_classes": 5}
SWIN = {"embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 5}

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("vit_tiny_patch16_224", SMALL),
    "vit_biasless_qkv": ("vit_tiny_patch16_224", SMALL | {"qkv_bias": False}),
    "vit_qk_norm": ("vit_tiny_patch16_224", SMALL | {"qk_norm": True}),
    "deit3": ("deit3_small_patch16_224", SMALL),
    "reg4_gap": ("vit_medium_patch16_reg4_gap_256", SMALL),
    "siglip": ("vit_base_patch16_siglip_224", SMALL),
    "dinov2": ("vit_small_patch14_dinov2", SMALL | {"img_size": 28}),
    "dinov2_reg4": ("vit_small_patch14_reg4_dinov2", SMALL | {"img_size": 28}),
    "clip": ("vit_base_patch16_clip_224", SMALL),
    "beit": ("beit_base_patch16_224", SMALL),
    "beitv2": ("beitv2_base_patch16_224", SMALL),
    "beit_shared_bias": ("beit_base_patch16_224", SMALL | {"use_shared_rel_pos_bias": True}),
    "eva01": ("eva_giant_patch14_224", SMALL | {"img_size": 28}),
    "eva02_functional": ("eva02_tiny_patch14_224", SMALL | {"img_size": 28}),
    "eva02_split": ("eva02_base_patch14_224", SMALL | {"img_size": 28}),
    "dinov3": ("vit_small_patch16_dinov3", SMALL),
    "dinov3_qkvb": ("vit_small_patch16_dinov3_qkvb", SMALL),
    "perception_encoder": ("vit_pe_core_tiny_patch16_384", SMALL | {"global_pool": "avg"}),
    "swin": ("swin_tiny_patch4_window7_224", SWIN | {"img_size": 32, "window_size": 4}),
    "swin_padded": ("swin_tiny_patch4_window7_224", SWIN | {"img_size": 40, "window_size": 4}),
    "swinv2": ("swinv2_tiny_window8_256", SWIN | {"img_size": 32, "window_size": 4}),
    "swinv2_padded": ("swinv2_tiny_window8_256", SWIN | {"img_size": 40, "window_size": 4}),
}


def tiny(name: str, **kwargs: Any) -> nn.Module:
    """The model in evaluation mode; scales far from 0, so that everything matters."""
    torch.manual_seed(0)
    timm_name, own = ARCHITECTURES[name]
    model = timm.create_model(timm_name, **(own | kwargs)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.add_(1)
    return model


@pytest.fixture
def make() -> Callable[..., nn.Module]:
    """`make(name, **kwargs)`: one of `ARCHITECTURES` by its name here."""
    return tiny


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> nn.Module:
    """Each of `ARCHITECTURES` in turn."""
    return tiny(request.param)


@pytest.fixture
def images(model: nn.Module) -> torch.Tensor:
    """Two images of the size that `model` expects."""
    return torch.randn(
        2, 3, *model.patch_embed.img_size, generator=torch.Generator().manual_seed(1)
    )
