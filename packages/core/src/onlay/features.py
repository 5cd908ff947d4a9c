"""What a backbone gives to a head, and where its tokens lie.

Shapes: B batch, D width, N patch or group tokens, P inserted tokens, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, dtype


class Layout(Protocol):
    """Where tokens lie: `prefix` other tokens (class, inserted, registers), then `count` patch or
    group tokens. A plugin may bring a kind of its own; who needs more than this asks by trait."""

    @property
    def prefix(self) -> int:
        """Tokens before the patches or groups."""
        ...

    @property
    def count(self) -> int:
        """Patch or group tokens of one input."""
        ...

    @property
    def traits(self) -> frozenset[str]:
        """What the kind offers beside this: `map` (see `map_of`), `neighbours` (see `centres_of`),
        `order` (tokens come one after another), or a word of a plugin's own. One whose places
        differ between inputs may have `rows(which: slice)`, the layout of some of them."""
        ...


@dataclass(frozen=True)
class Grid:
    """Patch tokens on a map, row by row."""

    height: int
    width: int
    prefix: int = 0

    @property
    def count(self) -> int:
        return self.height * self.width

    @property
    def traits(self) -> frozenset[str]:
        return frozenset({"map"})


@dataclass(frozen=True)
class Points:
    """Group tokens around `centres` (B, G, 3)."""

    centres: Tensor
    prefix: int = 0

    @property
    def count(self) -> int:
        return self.centres.shape[1]

    @property
    def traits(self) -> frozenset[str]:
        return frozenset({"neighbours"})

    def rows(self, which: slice) -> Points:
        return Points(self.centres[which], self.prefix)


@dataclass(frozen=True)
class Line:
    """Tokens of a sequence, `length` of them, one after another."""

    length: int
    prefix: int = 0

    @property
    def count(self) -> int:
        return self.length

    @property
    def traits(self) -> frozenset[str]:
        return frozenset({"order"})


def map_of(layout: Layout) -> tuple[int, int] | None:
    """Height and width of the map on which tokens lie, of a layout with the trait `map`.

    >>> map_of(Grid(2, 3, prefix=1)), map_of(Line(6))
    ((2, 3), None)
    """
    own: Any = layout
    return (own.height, own.width) if "map" in layout.traits else None


def centres_of(layout: Layout) -> Tensor | None:
    """Places (B, count, axes) that say which tokens are near which, of a layout with the trait
    `neighbours`."""
    own: Any = layout
    return own.centres if "neighbours" in layout.traits else None


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
    """What the blocks that were asked for put out, for dense tasks: maps (B, D, H, W) as they leave
    the block, before any norm behind it, also in the last; or the groups of a cloud or tokens of a
    sequence (B, D, G) after the last norm. Maps of pictures that are no multiple of the patch are
    those of the picture padded at the bottom and right."""
    inputs: Any = field(kw_only=True)
    """What the backbone was given: images (B, C, H, W), clouds (B, N, 3 + further columns), ids
    (B, T)."""

    def __len__(self) -> int:
        """Inputs of the batch."""
        return len(self.patches)

    def __getitem__(self, which: slice) -> Features:
        """Some inputs of the batch."""
        names = ("cls", "prompts", "patches", "pooled")
        found = {name: getattr(self, name) for name in names}
        own = {name: None if x is None else x[which] for name, x in found.items()}
        layout, levels = self.layout, [x[which] for x in self.levels]
        rows = getattr(layout, "rows", None)
        placed = rows(which) if rows else layout
        return replace(self, **own, layout=placed, levels=levels, inputs=self.inputs[which])

    def to(self, wanted: dtype) -> Features:
        """The same in another dtype; layout and inputs as they are."""
        if self.patches.dtype == wanted:
            return self
        names = ("cls", "prompts", "patches", "pooled")
        found = {name: getattr(self, name) for name in names}
        cast = {name: None if x is None else x.to(wanted) for name, x in found.items()}
        return replace(self, **cast, levels=[x.to(wanted) for x in self.levels])
