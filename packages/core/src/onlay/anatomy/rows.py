"""Between two maps of one block there may be fewer rows; behind them all are back.

A module in the place of `fc1` may hand on the rows of some tokens only, if the one in the place of
`fc2` brings the others back (token dispatch). Norm, activation and dropout between them act row by
row.
"""

from __future__ import annotations

from torch import Tensor

from onlay.anatomy.parts import Site
from onlay.anatomy.ports import Undo
from onlay.errors import AnatomyError


class RowsKept:
    """Compares the rows that leave an MLP with those that entered it."""

    def __init__(self, entry: Site, exit: Site) -> None:
        self.entry, self.exit = entry, exit
        self.shape: tuple[int, ...] = ()

    def install(self) -> list[Undo]:
        return [*self.entry.port.install(self.enter), *self.exit.port.install(self.leave)]

    def enter(self, x: Tensor) -> Tensor:
        self.shape = tuple(x.shape[:-1])
        return x

    def leave(self, x: Tensor) -> Tensor:
        found = tuple(x.shape[:-1])
        if found != self.shape:
            raise AnatomyError(
                f"`{self.exit.path}` has the rows {found} where `{self.entry.path}` has"
                f" {self.shape}: what takes rows out between two maps of a block must bring them"
                " back by the last"
            )
        return x
