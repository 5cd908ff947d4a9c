"""What decides a backbone's answers and shows in no weight: asked before a bundle goes onto it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from onlay.batches import tensors_of
from onlay.bundle.fingerprint import norm_eps
from onlay.errors import BundleError, DataError

if TYPE_CHECKING:
    from onlay.bundle.manifest import BackboneRecord
    from onlay.model.adapted import AdaptedModel


def check_beyond_weights(model: AdaptedModel, made: BackboneRecord, what: str) -> None:
    """Is the backbone, of the same weights, also otherwise the one that was trained on?

    Args:
        made: what a bundle remembers of that; an older one less.
        what: names the bundle, for the sentence.

    Raises:
        BundleError: norms have another `eps`, features are pooled in another way and the head reads
            them, or inputs of the size to which the bundle reads files are not taken.
    """
    label, eps = model.built.label, norm_eps(model.backbone)
    if made.norm_eps and made.norm_eps != eps:
        raise BundleError(
            f"{what} was trained on a backbone whose norms have `eps` {_listed(made.norm_eps)}, and"
            f" those of `{label}` have {_listed(eps)}: give one as it was"
        )
    now = model.anatomy.pooling
    if made.pooling and now and made.pooling != now and _reads_pooled(model):
        raise BundleError(
            f"{what} was trained on a backbone that pools by `{made.pooling}`, and `{label}` pools"
            f" by `{now}`: give one as it was"
        )
    _check_size(model, what)


def _listed(eps: list[float]) -> str:
    return " and ".join(f"{each:g}" for each in eps) or "none"


@torch.no_grad()
def _reads_pooled(model: AdaptedModel) -> bool:
    """Whether the answer depends on the features that are pooled as pretrained, and not only on
    other ones."""
    levels = getattr(model.eval().head, "levels", ())
    features = model.features(model.anatomy.example(2), levels=levels)
    if features.pooled is None:
        return False
    unknown = replace(features, pooled=torch.full_like(features.pooled, torch.nan))
    one, other = ([*tensors_of(model.answer(each))] for each in (features, unknown))
    return len(one) != len(other) or not all(map(torch.equal, one, other))


@torch.no_grad()
def _check_size(model: AdaptedModel, what: str) -> None:
    """A backbone that has a size of its own may take no other."""
    size, own = model.preprocessing.get("img_size"), model.built.input_spec.get("img_size")
    if not size or not own or list(size) == list(own):
        return
    try:
        model.eval().features(model.example(), levels=getattr(model.head, "levels", ()))
    except DataError as error:
        raise BundleError(
            f"{what} reads files to a size that `{model.built.label}` does not take: {error}"
        ) from error
