"""Files as the authors publish them, of numbered tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
Listed = Callable[[str], Shapes]
UNTOUCHED = -1


def numbered(shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
    """The i-th tensor holds i everywhere; on disk one number each, however large the tensor."""
    return {
        name: torch.tensor(i if name.endswith("tracked") else float(i)).expand(shape)
        for i, (name, shape) in enumerate(shapes.items())
    }


def saved(path: Path, state: Mapping[str, Tensor], *, under: str | None = "base_model") -> Path:
    """As the authors' training writes it: weights beside the optimizer's state and numbers."""
    extra = {"optimizer": {"state": {0: {"step": 3}}}, "epoch": 300, "metrics": {"acc": 85.18}}
    torch.save({under: dict(state), **extra} if under else dict(state), path)
    return path


def backbone_of(shapes: Shapes) -> Shapes:
    return {name: s for name, s in shapes.items() if not name.startswith("cls_head_finetune.")}


def prefixed(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}
