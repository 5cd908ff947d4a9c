"""What a backbone gives to a head, and where its tokens lie.

Shapes: B batch, D width, N patch or group tokens, P inserted tokens, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, dtype


@dataclass(frozen=True)
class Grid:
    """Patch tokens on a map, row by row, behind `prefix` other tokens (class, inserted,
    registers)."""

    height: int
    width: int
    prefix: int = 0


@dataclass(frozen=True)
class Points:
    """Group tokens around `centres` (B, G, 3), behind `prefix` other tokens."""

    centres: Tensor
    prefix: int = 0


Layout = Grid | Points


@dataclass(frozen=True)
class Features:
    """What a head reads. Pooling is the head's business."""

    cls: Tensor | None
    """(B, D), the class token after the last norm."""
    prompts: Tensor
    """(B, P, D), the tokens that adapters inserted, newest first; P may be 0."""
    patches: Tensor
    """(B, N, D); a hierarchical backbone's last map, flattened row by row."""
    layout: Layout
    pooled: Tensor | None = None
    """(B, D), pooled in the way in which the backbone was pretrained (class token, average,
    attention pool)."""
    levels: Sequence[Tensor] = ()
    """What the blocks that were asked for put out, for dense tasks: maps (B, D, H, W), or the
    groups of a cloud (B, D, G) after the last norm."""
    inputs: Tensor | None = None
    """What the backbone was given, where heads need it: clouds (B, N, 3 + further columns)."""

    def to(self, wanted: dtype) -> Features:
        """The same in another dtype; layout and inputs as they are."""
        if self.patches.dtype == wanted:
            return self
        names = ("cls", "prompts", "patches", "pooled")
        found = {name: getattr(self, name) for name in names}
        cast = {name: None if x is None else x.to(wanted) for name, x in found.items()}
        return replace(self, **cast, levels=[x.to(wanted) for x in self.levels])
