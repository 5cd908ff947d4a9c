"""Objects of a part, read when they are asked for.

Shapes: n objects, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class Objects(dict[str, Tensor]):
    """`boxes` (n, 4) float32, `labels` (n,) int64, and perhaps `masks` (n, H, W) uint8 and `crowd`
    (n,), truths."""

    def __init__(self, leaves: dict[str, Tensor], size: tuple[int, int]) -> None:
        super().__init__(leaves)
        self.shape = size
        """Height and width of the picture that they are on."""


class ObjectsOf(Sequence[Objects]):
    """Those of each file, as `read` gives them."""

    def __init__(self, files: Sequence[Path], read: Callable[[Path], Any]) -> None:
        self.files, self.read = list(files), read

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.taken(range(len(self))[index])
        return self.read(self.files[index])

    def taken(self, indices: Iterable[int]) -> ObjectsOf:
        """Those at `indices`, still unread."""
        return ObjectsOf([self.files[index] for index in indices], self.read)


def boxes_of(masks_nHW: Tensor) -> Tensor:
    """Corners (n, 4) of masks that have a pixel each.

    >>> boxes_of(torch.tensor([[[0, 0, 0], [0, 1, 1]]]))
    tensor([[1., 1., 3., 2.]])
    """
    ends = []
    for lines in (masks_nHW.bool().any(1), masks_nHW.bool().any(2)):
        numbers = lines.int()
        ends += [numbers.argmax(1), lines.shape[1] - numbers.flip(1).argmax(1)]
    left, right, top, bottom = ends
    return torch.stack([left, top, right, bottom], 1).float()
