"""Some items of a part, which is whatever a data set made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from onlay.data import Blocks
from onlay.machine.chance import generators_kept, seed_host

_OF_ITEMS = ("targets", "sources")
"""Attributes with one thing for each item."""


class PartView(Dataset[Any]):
    """The items of a part at `indices`, in that order, with what the part says of them: `targets`
    and `sources`, `plain` (as in evaluation), `blocks`, `votes`, `in_full`, `move_targets`; each
    where the part has it.

    `still`: whatever chance does to an item, it does every time, and draws from no generator of
    somebody else's.
    """

    def __init__(self, part: Any, indices: Sequence[int], *, still: bool = False) -> None:
        self.part, self.indices, self.still = part, [int(index) for index in indices], still
        for name in _OF_ITEMS:
            if (whole := getattr(part, name, None)) is not None:
                setattr(self, name, taken(whole, self.indices))
        self.plain = _view(getattr(part, "plain", None), self.indices)
        self.blocks = _fewer(getattr(part, "blocks", None), self.indices)
        if hasattr(part, "votes"):
            self.votes = self._votes
        if hasattr(part, "in_full"):
            self.in_full = self._in_full
        if hasattr(part, "move_targets"):
            self.move_targets = self._move_targets

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        if not self.still:
            return self.part[self.indices[index]]
        with generators_kept():
            seed_host(self.indices[index])
            return self.part[self.indices[index]]

    def _votes(self, number: int) -> PartView:
        return PartView(self.part.votes(number), self.indices)

    def _in_full(self, tiles: Any) -> PartView:
        return PartView(self.part.in_full(tiles), self.indices)

    def _move_targets(self, kinds: Any) -> None:
        self.part.move_targets(kinds)
        if self.plain is not None and hasattr(self.plain, "move_targets"):
            self.plain.move_targets(kinds)


def taken(whole: Any, indices: Sequence[int]) -> Any:
    """Those of a sequence, or the rows of a tensor; of a sequence that reads them when they are
    asked for, what its `taken(indices)` gives, if it has one."""
    if callable(own := getattr(whole, "taken", None)):
        return own(indices)
    if isinstance(whole, Tensor | np.ndarray):
        return whole[list(indices)]
    return [whole[index] for index in indices]


def _view(part: Any, indices: Sequence[int]) -> PartView | None:
    return None if part is None else PartView(part, indices)


def _fewer(blocks: Blocks | None, indices: Sequence[int]) -> Blocks | None:
    """The same blocks with those items alone; `indices` rise."""
    if blocks is None:
        return None
    ends = np.cumsum(blocks.sizes)
    counts = np.bincount(np.searchsorted(ends, indices, side="right"), minlength=len(ends))
    return Blocks(tuple(int(count) for count in counts if count), blocks.window)
