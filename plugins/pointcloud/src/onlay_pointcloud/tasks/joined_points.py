"""The metric of a class for each point; needs `torchmetrics`, which `onlay-train` brings.

A large scene comes in overlapping blocks, several items of a data set. What they say of a point is
added up, and the point counts once.

Shapes: B batch, N points of an item, C classes, V votes that are not counted yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from onlay.tasks.class_map_metrics import ClassMaps
from onlay.tasks.class_maps import confusion

ALL_AT_ONCE = 2**20
"""Votes that are kept before those for one point are added up."""


class PointMaps(ClassMaps):
    """As `ClassMaps`, of logits (B, N, C) and classes (B, N); or of items of scenes, whose target
    says which points they are: `classes` and `points` (B, N), `scene` and `items` (B,), how many
    items the scene has.

    >>> found = PointMaps(["a", "b"])
    >>> scene = {"scene": torch.tensor([0, 0]), "items": torch.tensor([2, 2])}
    >>> points, classes = torch.tensor([[0, 1], [1, 2]]), torch.tensor([[0, 1], [1, 1]])
    >>> logits = torch.tensor([[[9.0, 0], [1, 0]], [[0, 9.0], [0, 9]]])
    >>> found.update(logits, {**scene, "points": points, "classes": classes})
    >>> found.compute()["accuracy"].item()  # point 1 is called `a` once, `b` more surely
    1.0
    """

    keys_V: Any
    votes_VC: Any
    true_V: Any

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(labels)
        for name in ("keys_V", "votes_VC", "true_V"):
            self.add_state(name, [], dist_reduce_fx="cat")
        self._begin()

    def reset(self) -> None:
        super().reset()
        self._begin()

    def _begin(self) -> None:
        """No process has an empty list, which could not be gathered."""
        self.seen: Counter[int] = Counter()
        nothing = torch.zeros(0, dtype=torch.long, device=self.device)
        self._keep(nothing, torch.zeros(0, len(self.labels), device=self.device), nothing)

    def _keep(self, keys_V: Tensor, votes_VC: Tensor, true_V: Tensor) -> None:
        self.keys_V, self.votes_VC, self.true_V = [keys_V], [votes_VC], [true_V]

    def update(self, found: Tensor, true: Any) -> None:
        """Count points, or keep what is said of a scene's until all of it is known: of logits
        (B, N, C) and targets."""
        if not isinstance(true, Mapping):
            super().update(found.argmax(-1), true)
            return
        keys_BN = true["scene"][:, None] * 2**32 + true["points"]
        self.keys_V.append(keys_BN.flatten())
        self.votes_VC.append(found.detach().float().softmax(-1).flatten(0, 1))
        self.true_V.append(true["classes"].flatten())
        items = zip(true["scene"].tolist(), true["items"].tolist(), strict=True)
        done = [scene for scene, count in items if self._is_last(scene, count)]
        if done or sum(map(len, self.keys_V)) > ALL_AT_ONCE:
            self._settle(done)

    def _is_last(self, scene: int, items: int) -> bool:
        self.seen[scene] += 1
        return self.seen[scene] == items

    def _settle(self, done: Sequence[int]) -> None:
        """Add up the votes for each point, and count the points of scenes that are whole."""
        keys_V, votes_VC, true_V = added_up(self.keys_V, self.votes_VC, self.true_V)
        whole_V = torch.isin(keys_V // 2**32, torch.tensor(done, device=keys_V.device))
        self.counts_CC += self._confusion(votes_VC[whole_V], true_V[whole_V])
        self._keep(keys_V[~whole_V], votes_VC[~whole_V], true_V[~whole_V])

    def compute(self) -> dict[str, Tensor]:
        _, votes_VC, true_V = added_up(self.keys_V, self.votes_VC, self.true_V)
        counts_CC = self.counts_CC
        self.counts_CC = counts_CC + self._confusion(votes_VC, true_V)
        found = super().compute()
        self.counts_CC = counts_CC
        return found

    def _confusion(self, votes_VC: Tensor, true_V: Tensor) -> Tensor:
        return confusion(votes_VC.argmax(-1), true_V, len(self.labels), self.void)


def added_up(keys: Any, votes: Any, true: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Each key once, with the sum of its votes and its class, which all of them have."""
    keys_V, votes_VC, true_V = (x if isinstance(x, Tensor) else torch.cat(x)
                                for x in (keys, votes, true))  # fmt: skip
    unique_U, index_V = keys_V.unique(return_inverse=True)
    sums_UC = votes_VC.new_zeros(len(unique_U), votes_VC.shape[1]).index_add_(0, index_V, votes_VC)
    true_U = true_V.new_zeros(len(unique_U)).scatter_(0, index_V, true_V)
    return unique_U, sums_UC, true_U
