"""How well features tell classes without any head: the nearest neighbours' vote.

Shapes: M items of the memory, N items that are judged, D width, K neighbours, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import send_to_device
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from onlay.errors import DataError
from onlay.tasks.pooled import pooled
from onlay_train.loaders import collate_of, eval_loader, size
from onlay_train.sampler import ShardSampler

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel

TEMPERATURE = 0.07
"""That of DINO's evaluation."""
_AT_ONCE = 1024

Vectors = tuple[Tensor, Tensor]
"""(N, D) of length 1, and the class of each (N,)."""


def knn_top1(memory: Vectors, judged: Vectors, *, neighbours: int) -> float:
    """Share of the judged whose neighbours in the memory vote for their class.

    Of the K of largest cosine each votes with exp(cosine / 0.07), as in Caron et al., DINO (ICCV
    2021), whose evaluation has K = 20.

    Raises:
        DataError: the memory has fewer items than that.
    """
    if len(memory[0]) < neighbours:
        raise DataError(
            f"{neighbours} neighbours are asked for, and the training part has {len(memory[0])}"
        )
    parts = zip(judged[0].split(_AT_ONCE), judged[1].split(_AT_ONCE), strict=True)
    right = sum(int((_voted(memory, x, neighbours) == y).sum()) for x, y in parts)
    return right / len(judged[0])


def _voted(memory: Vectors, judged_ND: Tensor, neighbours: int) -> Tensor:
    """The class (N,) with most votes."""
    vectors_MD, classes_M = memory
    cosine_NK, index_NK = (judged_ND @ vectors_MD.T).topk(neighbours)
    votes_NC = judged_ND.new_zeros(len(judged_ND), int(classes_M.max()) + 1)
    votes_NC.scatter_add_(1, classes_M[index_NK], (cosine_NK / TEMPERATURE).exp())
    return votes_NC.argmax(1)


@torch.inference_mode()
def vectors_of(
    model: AdaptedModel, part: Dataset[Any], *, batch_size: int, workers: int
) -> Vectors:
    """The features as the backbone was pretrained to give them, else the class token, else the mean
    of the patches; every item once, in order.

    Raises:
        DataError: targets that are no single classes.
    """
    device = next(model.parameters()).device
    model.eval()
    found: list[Vectors] = []
    sampler = ShardSampler(size(part), batch_size)
    collate = collate_of(model.head)
    for batch in eval_loader(part, sampler, workers=workers, device=device, collate=collate):
        inputs, classes = send_to_device(batch, device)
        if not isinstance(classes, Tensor) or classes.ndim != 1 or classes.is_floating_point():
            raise DataError("`--knn` needs data with one class for each input")
        features = model.features(inputs)
        there = {"pretrained": features.pooled, "cls": features.cls}
        pool = next((name for name, x in there.items() if x is not None), "mean")
        found.append((functional.normalize(pooled(features, pool).float(), dim=-1), classes.long()))
    return torch.cat([x for x, _ in found]), torch.cat([y for _, y in found])
