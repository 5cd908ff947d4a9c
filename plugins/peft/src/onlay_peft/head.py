"""The classifier: a task's head on our side, a timm model's last layer on peft's.

Shapes: C classes, D width of the pooled features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from onlay.errors import BundleError, CannotFold
from onlay.model.adapted import AdaptedModel

TOLERANCE = 1e-5
"""Of a logit, relative to the largest one."""


def classifier_name(backbone: nn.Module) -> str:
    """timm's name of the last layer (`head`, `head.fc`); empty where the model tells none."""
    facts: Any = getattr(backbone, "pretrained_cfg", None) or {}
    name = facts.get("classifier", "")
    return name if isinstance(name, str) else ""


def classifier_of(model: AdaptedModel) -> tuple[str, nn.Linear | None]:
    """Name and layer that give the model's logits where timm has its own, or no layer and why."""
    name = classifier_name(model.backbone)
    if not name:
        return f"`{model.built.label}` names no classifier", None
    try:
        weight_CD, bias_C = model.head.linear()
    except (AttributeError, CannotFold) as error:
        return f"it is no linear layer ({error})", None
    if not _reads_pooled(model, weight_CD, bias_C):
        return "it reads other features than the backbone's own classifier", None
    return name, _linear(weight_CD, bias_C)


@torch.no_grad()
def _reads_pooled(model: AdaptedModel, weight_CD: Tensor, bias_C: Tensor) -> bool:
    mode = model.training
    features = model.eval().anatomy.encode(model.anatomy.example(2))
    logits = model.head(features)
    model.train(mode)
    if features.pooled is None or features.pooled.shape[-1] != weight_CD.shape[1]:
        return False
    expected = functional.linear(features.pooled, weight_CD, bias_C)
    close = TOLERANCE * expected.abs().max().clamp(min=1)
    return bool((logits - expected).abs().max() <= close)


def taken(state: dict[str, Tensor], backbone: nn.Module, saved: Sequence[str]) -> nn.Linear:
    """The classifier among peft's tensors, taken out of them, or else the model's own.

    `saved` is peft's `modules_to_save`; what else is among them belongs to no place here.
    """
    name = classifier_name(backbone)
    for other in saved:
        if not name or f".{name}.".find(f".{other}.") < 0:
            raise BundleError(
                f"it also saves the module `{other}`, and only the classifier"
                f" (`{name or 'none'}` here) can be taken over"
            )
    found = [key for key in state if key.endswith(f".model.{name}.weight")] if name else []
    if not found:
        return _own(backbone, name)
    weight_CD = state.pop(found[0])
    return _linear(weight_CD, state.pop(found[0].removesuffix("weight") + "bias", None))


def _own(backbone: nn.Module, name: str) -> nn.Linear:
    own = dict(backbone.named_modules()).get(name)
    if not name or not isinstance(own, nn.Linear):
        raise BundleError(
            "it holds no classifier; save one with `modules_to_save`, or import it in Python on a"
            " model that has its own: `onlay_peft.importer.read(folder, backbone=model)`"
        )
    return _linear(own.weight.detach(), own.bias)


def _linear(weight_CD: Tensor, bias_C: Tensor | None) -> nn.Linear:
    classes, width = weight_CD.shape
    layer = nn.Linear(width, classes, device=weight_CD.device, dtype=weight_CD.dtype)
    bias_C = weight_CD.new_zeros(classes) if bias_C is None else bias_C
    layer.load_state_dict({"weight": weight_CD, "bias": bias_C})
    return layer
