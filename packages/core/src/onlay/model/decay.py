"""What a backbone wants to have without weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


def spared(model: AdaptedModel) -> set[str]:
    """The trained tensors that a `no_weight_decay()` names: of the backbone, whose copies stand in
    for its own, or of the method's modules, such as biases of several experts in one tensor."""
    patterns, own = list(_patterns(model.backbone)), list(_patterns(model.adapter))
    copies = {
        id(swap.copy)
        for swap in model.adapter.swaps
        if swap.parameter and any(fnmatchcase(swap.path, pattern) for pattern in patterns)
    }
    return {
        name
        for name, parameter in model.trained_parameters().items()
        if id(parameter) in copies
        or any(fnmatchcase(name.removeprefix("adapter."), pattern) for pattern in own)
    }


def _patterns(backbone: nn.Module) -> Iterator[str]:
    """Names, which timm takes for patterns; also where the network is a part of a module."""
    for path, module in backbone.named_modules():
        if callable(own := getattr(module, "no_weight_decay", None)):
            yield from (f"{path}.{name}" if path else name for name in own())
