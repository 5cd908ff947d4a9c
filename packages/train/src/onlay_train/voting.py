"""Voting: the mean of a model's outputs over several changed views of each input.

A part of a data set can be voted on if it has `votes(number) -> Dataset`: the same items in the
same order as one ballot sees them, changed as in training, the same for the same number.

The literature on point clouds repeats ten votes up to 299 times and reports the best accuracy that
occurred on the test part. That chooses on the test part and says nothing of new data, so it is not
offered: here the ballots are numbered, and one voting is all there is.

Shapes: B batch, V votes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from onlay.batches import mapped, stacked, tensors_of
from onlay.errors import DataError
from onlay_train.loaders import size


class Voted(Dataset[Any]):
    """Items `(views (V, ...), target)` of a part that can be voted on.

    Raises:
        DataError: it cannot.
    """

    def __init__(self, part: Dataset[Any], votes: int, name: str) -> None:
        make: Any = getattr(part, "votes", None)
        if make is None:
            raise DataError(
                f"this part of `{name}` cannot be voted on, it has no changed views: leave out"
                " `--votes`"
            )
        self.ballots = [make(number) for number in range(votes)]

    def __len__(self) -> int:
        return size(self.ballots[0])

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        items = [ballot[index] for ballot in self.ballots]
        target = items[0][1]
        assert all(_same(target, other) for _, other in items), "views of one input, not of several"
        return stacked([view for view, _ in items]), target


class Voter(nn.Module):
    """A model on views (B, V, ...) of each input: the mean of its V outputs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, views: Tensor) -> Any:
        output = self.model(views.flatten(0, 1))
        return mapped(lambda leaf: _mean(leaf, views.shape[:2]), output)


def _mean(leaf: Any, shape: torch.Size) -> Tensor:
    if not isinstance(leaf, Tensor):
        raise DataError("outputs of which each input has its own number have no mean over votes")
    return leaf.float().unflatten(0, shape).mean(1)


def _same(a: Any, b: Any) -> bool:
    pairs = zip(tensors_of(stacked([a])), tensors_of(stacked([b])), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)
