"""From a timm model object to its anatomy."""

from __future__ import annotations

from collections.abc import Callable

from timm.models.beit import Beit
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from onlay.anatomy import Anatomy
from onlay.errors import AnatomyError
from onlay_image.anatomy.sequence import dissect_sequence
from onlay_image.anatomy.swin import dissect_swin

_FAMILIES: dict[type[nn.Module], Callable[..., Anatomy]] = {
    VisionTransformer: dissect_sequence,
    VisionTransformerDistilled: dissect_sequence,
    Beit: dissect_sequence,
    Eva: dissect_sequence,
    SwinTransformer: dissect_swin,
    SwinTransformerV2: dissect_swin,
}

FAMILIES = tuple(_FAMILIES)
"""The timm classes whose anatomy is known."""

SUPPORTED = (
    "`VisionTransformer`, `VisionTransformerDistilled`, `Beit`, `Eva`, `SwinTransformer` and"
    " `SwinTransformerV2`"
)
"""The same for sentences."""


def dissect(model: nn.Module) -> Anatomy:
    """The anatomy of a timm model.

    Raises:
        AnatomyError: the class, or its kind of block, is not supported; a subclass counts as
            another class, because its forward pass may be another one.
    """
    family = _FAMILIES.get(type(model))
    if family is None:
        name, known = type(model).__name__, f"supported are timm's {SUPPORTED}"
        if isinstance(model, FAMILIES):
            known += " themselves: what is made from one of them may compute something else"
        raise AnatomyError(f"`{name}` models cannot be adapted; {known}")
    return family(model)
