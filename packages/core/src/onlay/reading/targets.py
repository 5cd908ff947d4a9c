"""Targets of things that have several labels, or numbers, as tensors.

Shapes: N things, C labels or numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from onlay.reading.listing import Item, Tags

if TYPE_CHECKING:
    from torch import Tensor

UNKNOWN = -1
"""Of a label of which nobody knows whether a thing has it."""


def rows(items: Sequence[Item], index: Mapping[str, int]) -> Tensor:
    """Of labels int64 (N, C): 1 has it, 0 has it not, -1 unknown; of numbers float32 (N, C).

    `index` is the place of each label or number.
    """
    import torch

    if not isinstance(items[0].target, Tags):
        numbers = [item.target for item in items if isinstance(item.target, Mapping)]
        return torch.tensor([[own[name] for name in index] for own in numbers])
    found_NC = torch.zeros(len(items), len(index), dtype=torch.int64)
    for row, item in enumerate(items):
        assert isinstance(item.target, Tags)
        found_NC[row, [index[label] for label in item.target.has]] = 1
        found_NC[row, [index[label] for label in item.target.unknown]] = UNKNOWN
    return found_NC
