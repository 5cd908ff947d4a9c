"""What was made once stays in memory, as far as there is room."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.utils.data import get_worker_info

KEPT_BYTES = 1024 * 2**20
"""How much of one part stays in memory, over all worker processes of a loader."""


class Kept:
    """Tensors by their index, made when they are first asked for."""

    def __init__(self, make: Callable[[int], Tensor]) -> None:
        self.make = make
        self.tensors: dict[int, Tensor] = {}
        self.bytes = 0

    def __getitem__(self, index: int) -> Tensor:
        if index in self.tensors:
            return self.tensors[index]
        made = self.make(index)
        worker = get_worker_info()
        if self.bytes + made.nbytes <= KEPT_BYTES // (worker.num_workers if worker else 1):
            self.tensors[index] = made
            self.bytes += made.nbytes
        return made
