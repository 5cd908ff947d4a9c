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
        return torch.stack([view for view, _ in items]), target


class Voter(nn.Module):
    """A model on views (B, V, ...) of each input: the mean of its V outputs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, views: Tensor) -> Tensor:
        output: Tensor = self.model(views.flatten(0, 1))
        return output.float().unflatten(0, views.shape[:2]).mean(1)


def _same(a: Any, b: Any) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b
