"""Items as ids: three ids are no items.

Shapes: T ids.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

PADDING, UNKNOWN, END = 0, 1, 2
"""Before a short history; an item that the network does not know; behind the last item, where the
next one is asked for."""
FIRST = 3
"""The id of the first item."""


class Encoder:
    """From items, the oldest first, to ids (T,), padded at the front.

    >>> Encoder({"vocabulary": ["tea", "milk"], "length": 5})(["milk", "salt", "tea"])
    tensor([0, 4, 1, 3, 2])
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.ids = {word: FIRST + place for place, word in enumerate(facts["vocabulary"])}
        self.length = int(facts["length"])

    def __call__(self, items: Sequence[str]) -> Tensor:
        kept = items[max(0, len(items) - self.length + 1) :]
        ids = [self.ids.get(item, UNKNOWN) for item in kept] + [END]
        return torch.tensor([PADDING] * (self.length - len(ids)) + ids)
