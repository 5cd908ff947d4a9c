"""How a model of timm pools now: it can be set after the model was made and shows in no weight."""

from __future__ import annotations

from inspect import signature
from typing import Any

from torch import nn

from onlay_image.timm_types import TimmModule

NORM_FLAG = {"VisionTransformer": "fc_norm", "Beit": "use_fc_norm", "Eva": "use_fc_norm"}
"""The argument of each class that moves its last norm behind the pooling."""


def pool_of(model: TimmModule) -> str:
    """timm's name for it; where timm itself pools nothing, for what we do instead."""
    own = getattr(model.head, "global_pool", None)
    if own is not None:  # Swin: what its class noted when it was made may be out of date
        return own.pool_type or "avg"
    if hasattr(model, "dist_token"):
        return "token"
    if getattr(model, "attn_pool", None) is not None:
        return model.global_pool if model.global_pool == "prr" else "map"
    return model.global_pool or ("avg" if model.cls_token is None else "token")


def with_prefix(model: TimmModule) -> bool:
    """Whether class token and registers are pooled, too."""
    return bool(getattr(model, "pool_include_prefix", False))


def pooling_arguments(model: TimmModule) -> dict[str, Any] | None:
    """With which timm makes a model that pools as this one does now; `None`: with none."""
    taken, flag = signature(type(model)).parameters, NORM_FLAG.get(type(model).__name__)
    if "global_pool" not in taken:
        return {}  # a distilled DeiT: always its two tokens
    told: dict[str, Any] = {"global_pool": pool_of(model)}
    if "pool_include_prefix" in taken:
        told["pool_include_prefix"] = with_prefix(model)
    if flag is None:
        return told
    moved = not isinstance(model.fc_norm, nn.Identity)
    if flag in taken:
        return told | {flag: moved}
    return told if moved == (told["global_pool"] == "avg") else None  # `Beit` of older timm
