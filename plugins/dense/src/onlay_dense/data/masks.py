"""Masks of a part, read when they are asked for.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onlay_dense.data.table import ClassTable
from onlay_image.data.values import read_values


class Masks(Sequence[Tensor]):
    """Classes (H, W) int16 of each mask, as large as it is stored."""

    def __init__(self, files: Sequence[Path], table: ClassTable) -> None:
        self.files, self.table = list(files), table

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.taken(range(len(self))[index])
        return torch.from_numpy(read_classes(self.files[index], self.table))

    def taken(self, indices: Iterable[int]) -> Masks:
        """Those at `indices`, still unread."""
        return Masks([self.files[index] for index in indices], self.table)


def read_classes(path: Path, table: ClassTable) -> np.ndarray:
    """One mask, (H, W) int16.

    Raises:
        DataError: it cannot be read, or holds what is no class.
    """
    return table.numbers(read_values(path), path)
