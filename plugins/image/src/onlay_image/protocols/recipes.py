"""How methods are trained that bring no recipe of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BACKBONE = "vit_base_patch16_224.orig_in21k"
"""Google's original ViT-B/16 of ImageNet-21k, which VPT's, NOAH's and ARC's tables have."""


def recipes(*presets: str | Mapping[str, Any]) -> dict[str, Any]:
    """AdamW for 100 epochs, ten of them warm-up, as code for VTAB-1k shares it; for full
    fine-tuning a tenth of the rate, our choice."""
    return {
        "presets": presets,
        "methods": {"full": {"train": {"lr": 1e-4}}},
        "others": {
            "train": {
                "epochs": 100,
                "warmup_epochs": 10,
                "warmup_lr": 1e-6,
                "min_lr": 1e-5,
                "batch_size": 64,
                "lr": 1e-3,
                "weight_decay": 1e-4,
            }
        },
    }


def search(**settings: Any) -> dict[str, Any]:
    """What `--trials` searches, with settings of trials alone."""
    keys = {"train.lr": [1e-4, 1e-1, "log"], "train.weight_decay": [1e-5, 1e-1, "log"]}
    return {"keys": keys, "trials": 12, "settings": settings}
