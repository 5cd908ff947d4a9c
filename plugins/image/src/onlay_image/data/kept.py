"""Pictures that were decoded and fitted once stay in memory, as far as there is room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.data import get_worker_info

from onlay.batches import Tree, tensors_of

KEPT_BYTES = 512 * 2**20
"""How much of one part stays in memory, over all worker processes of a loader."""


class Kept(dict[int, Tree]):
    """Trees of tensors by the index of their item; nothing may change them in place."""

    bytes: int = 0

    def of(self, index: int, make: Callable[[], Tree]) -> Any:
        """The one that was made before, else a new one, which stays if there is room."""
        if index in self:
            return self[index]
        made = make()
        worker, size = get_worker_info(), sum(tensor.nbytes for tensor in tensors_of(made))
        if self.bytes + size <= KEPT_BYTES // (worker.num_workers if worker else 1):
            self[index] = made
            self.bytes += size
        return made
