"""Masks and depth maps of the same images.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onlay.errors import DataError
from onlay.tasks.several.named import joined_labels
from onlay_dense.data.depth_folder import LABELS
from onlay_dense.data.depth_values import DepthValues
from onlay_dense.data.depths import read_depths
from onlay_dense.data.masks import read_classes
from onlay_dense.data.table import ClassTable


def labels_with_depths(classes: Sequence[str]) -> tuple[str, ...]:
    """Of both targets."""
    return joined_labels({"mask": classes, "depth": LABELS})


@dataclass(frozen=True)
class MasksAndDepths(Sequence[Any]):
    """`{"mask": (H, W) int16, "depth": (H, W) float32}` of each mask, read when it is asked for."""

    files: Sequence[Path]
    table: ClassTable
    partners: Mapping[Path, Path]
    """Of each mask the depth map."""
    values: DepthValues

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.taken(range(len(self))[index])
        path = self.files[index]
        mask = torch.from_numpy(read_classes(path, self.table))
        return {"mask": mask, "depth": self._depth(path, mask)}

    def taken(self, indices: Iterable[int]) -> MasksAndDepths:
        """Those at `indices`, still unread."""
        return replace(self, files=[self.files[index] for index in indices])

    def _depth(self, path: Path, mask: Tensor) -> Tensor:
        depth = torch.from_numpy(read_depths(own := self.partners[path], self.values))
        if depth.shape != mask.shape:
            raise DataError(
                f"`{own}` has {depth.shape[0]} rows and {depth.shape[1]} columns, and the mask"
                f" `{path}` {mask.shape[0]} and {mask.shape[1]}: both must be of one size"
            )
        return depth
