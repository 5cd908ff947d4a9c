"""A merged copy of a model, and whether it computes what the model does."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from onlay.anatomy.folding import fold, pieces
from onlay.batches import tensors_of
from onlay.errors import CannotFold

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel

MOVED = 1 / 64
"""How far outputs of a right merge may move, relative to the largest: in float32 a thousand times
what is usual, as some networks are ill conditioned and a GPU may compute in TF32."""
ROUNDINGS = 256
"""The same as so many roundings, which is more where numbers are short: what is added to a weight
may be too small to change it."""


def merged(model: AdaptedModel, *, partial: bool) -> AdaptedModel:
    """A copy of a model whose adapter is folded into its weights; see `AdaptedModel.merge`."""
    with model.attachments.lock:
        model.attachments.refuse_detached(model.name, model.adapter)
        plain = _copied(model)
    plain.attachments.activate(None)
    for other in set(plain.attachments.adapters) - {plain.name}:
        del plain.attachments.adapters[other]
    before = pieces(plain.adapter)
    refusals = fold(plain.adapter)
    if refusals and not partial:
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        raise CannotFold(f"`{model.method.name}` cannot be merged at {refusals[0]}{more}")
    plain.folded |= pieces(plain.adapter) < before
    plain.adapter.prune()
    plain.attachments.activate(plain.name)
    plain.merge_refusals = refusals
    plain.merge_change = _compared(model, plain)
    return plain


def _copied(model: AdaptedModel) -> AdaptedModel:
    try:
        return copy.deepcopy(model)
    except RuntimeError as error:  # torch's, of a tensor that leads to what it was made of
        raise CannotFold(
            f"`{model.method.name}` cannot be merged: the model cannot be copied, as a layer keeps"
            " a weight that it computes of what trains (`torch.nn.utils.prune`, `weight_norm`);"
            " give the backbone plain layers before it is adapted"
        ) from error


def _compared(model: AdaptedModel, plain: AdaptedModel) -> float:
    """The largest change of an output on random inputs.

    Raises:
        CannotFold: it is more than rounding explains.
    """
    pairs = _outputs(model, plain)
    change = max((_change(own, other) for own, other in pairs), default=0.0)
    if plain.folded and any(_moved(*pair, _bound(model, pair[0].device)) for pair in pairs):
        raise CannotFold(
            f"`{model.method.name}` cannot be merged: the copy's outputs differ by up to"
            f" {change:.1e}, so some layer computes with more than its weight and bias (a hook, a"
            " wrapper, a weight that other layers share)"
        )
    return change


def _outputs(model: AdaptedModel, plain: AdaptedModel) -> list[tuple[Tensor, Tensor]]:
    inputs = model.example(2)
    modes = model.training, plain.training
    model.eval(), plain.eval()
    with torch.no_grad():
        found = zip(tensors_of(model(inputs)), tensors_of(plain(inputs)), strict=True)
        pairs = [(own.float(), other.float()) for own, other in found if own.numel()]
    model.train(modes[0]), plain.train(modes[1])
    return pairs


def _change(own: Tensor, other: Tensor) -> float:
    return (own - other).abs().max().item()


def _moved(own: Tensor, other: Tensor, bound: float) -> bool:
    """Whether the output of every input moved: of one a token may be routed elsewhere, or a point
    have other neighbours, for the least of roundings."""
    size = own.abs().max().item()
    if not math.isfinite(size) or not own.ndim:
        return False
    least = (own - other).abs().reshape(len(own), -1).amax(1).min().item()
    return not least <= bound * size  # also where numbers became too large for their kind


def _bound(model: AdaptedModel, device: torch.device) -> float:
    """By the shortest numbers that the model computes with."""
    kinds = {t.dtype for t in model.parameters() if t.is_floating_point()}
    if torch.is_autocast_enabled(device.type):
        kinds.add(torch.get_autocast_dtype(device.type))
    return max(MOVED, *(ROUNDINGS * torch.finfo(kind).eps for kind in kinds))
