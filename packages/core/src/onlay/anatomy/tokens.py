"""Tokens that come, leave, and are read without asking.

Shapes: B batch, T tokens, P rows that are put in, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from onlay.anatomy.parts import Site
from onlay.anatomy.wires import Tap
from onlay.errors import AnatomyError


@dataclass(frozen=True)
class Stay:
    """Which blocks see `count` inserted tokens: from `first` on, to the end or up to `last`."""

    first: int
    count: int
    last: int | None = None

    def seen_by(self, block: int) -> bool:
        """Whether the tokens are in the sequence that enters a block."""
        return self.first <= block and (self.last is None or block <= self.last)


def leaving(stays: Sequence[Stay], block: int) -> Iterator[slice]:
    """Where in the row of inserted tokens, newest first, those stand that leave after a block; the
    hindmost first, so that none of them moves another."""
    order = sorted(range(len(stays)), key=lambda i: (stays[i].first, i))
    present = [stays[i] for i in order if stays[i].seen_by(block)]
    end = sum(stay.count for stay in present)
    for stay in present:  # the oldest stand last
        if stay.last == block:
            yield slice(end - stay.count, end)
        end -= stay.count


def without(x_BTD: Tensor, rows: slice) -> Tensor:
    """All tokens but these."""
    return torch.cat([x_BTD[:, : rows.start], x_BTD[:, rows.stop :]], dim=1)


class Insertion:
    """`count` rows that are put in at `position`."""

    reason = "inserted tokens are no weight"
    """Why it cannot be folded."""

    def __init__(
        self, site: Site, module: nn.Module, taps: Sequence[Tap], position: int, count: int
    ) -> None:
        self.site, self.module, self.taps = site, module, taps
        self.position, self.count = position, count

    def put_in(self, x_BTD: Tensor) -> Tensor:
        rows = self.rows(x_BTD)
        head, tail = x_BTD[:, : self.position], x_BTD[:, self.position :]
        return torch.cat([head, rows, tail], dim=1)

    def rows(self, x_BTD: Tensor) -> Tensor:
        """(B, P, D) in the dtype of `x_BTD`."""
        made = self.module(*(tap.take_as(x_BTD) for tap in self.taps))
        self._check(made, x_BTD.shape[-1])
        return made.expand(x_BTD.shape[0], -1, -1).to(x_BTD.dtype)

    def _check(self, made: Tensor, width: int) -> None:
        if made.shape[-2:] != (self.count, width):
            raise AnatomyError(
                f"what is put in at `{self.site.path}` is {tuple(made.shape)} and should be"
                f" (batch or 1, {self.count}, {width}); `count` says how many rows there are"
            )


class KeysAndValues(Insertion):
    """Rows of `qkv.out` that ask nothing: the module gives keys and values, (1 or B, P, 2 D)."""

    reason = "keys and values that no token makes are no weight"

    def rows(self, x_BTD: Tensor) -> Tensor:
        """(B, P, 3 D)."""
        width = x_BTD.shape[-1] // 3
        made = self.module(*(tap.take_as(x_BTD) for tap in self.taps))
        self._check(made, 2 * width)
        made = made.expand(x_BTD.shape[0], -1, -1).to(x_BTD.dtype)
        return torch.cat([made.new_zeros(*made.shape[:2], width), made], dim=-1)


class Blank(Insertion):
    """Rows of zeros, which only keep a place; their keys and values come later."""

    reason = KeysAndValues.reason

    def __init__(self, site: Site, position: int, count: int) -> None:
        super().__init__(site, nn.Identity(), (), position, count)

    def rows(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.new_zeros(x_BTD.shape[0], self.count, x_BTD.shape[-1])
