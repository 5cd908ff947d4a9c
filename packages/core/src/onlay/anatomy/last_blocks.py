"""A backbone as a method sees it that is held to the last blocks: nothing comes before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from onlay.anatomy.adapter import Adapter
from onlay.anatomy.depths import depths_of_names, first_acted
from onlay.anatomy.parts import Anatomy, Stage
from onlay.errors import AnatomyError


class LastBlocks:
    """Stages, sites and the trunk end at the front where the last `count` blocks begin; all else
    is the whole backbone's own, also while it runs."""

    def __init__(self, whole: Anatomy, count: int) -> None:
        self.whole, self.count = whole, count
        first = len(whole.blocks) - count
        self.first = first
        kept = [[b for b in stage.blocks if b.index >= first] for stage in whole.stages]
        self.stages: Sequence[Stage] = [
            replace(stage, blocks=blocks)
            for stage, blocks in zip(whole.stages, kept, strict=True)
            if blocks
        ]
        self.blocks = [block for stage in self.stages for block in stage.blocks]
        self.sites = {n: site for n, site in whole.sites.items() if n == "norm.out"}
        self.class_token = self.class_position = None
        self.embedders: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "whole":  # while a copy is made
            raise AttributeError(name)
        return getattr(self.whole, name)

    def trunk(self) -> dict[str, Tensor]:
        """As far as the blocks and what comes behind them hold it."""
        depths = depths_of_names(self.whole)
        return {n: t for n, t in self.whole.trunk().items() if depths.get(n, 0) > self.first}


def held_to(anatomy: Anatomy, count: int | None) -> Anatomy:
    """The last `count` blocks of a backbone; all of it without a number.

    Raises:
        AnatomyError: it has fewer blocks.
    """
    if count is None:
        return anatomy
    depth = len(anatomy.blocks)
    if count > depth:
        raise AnatomyError(
            f"`method.last_blocks={count}` is more than the {depth} blocks of the backbone: give at"
            f" most {depth}, or leave it out"
        )
    seen: Any = LastBlocks(anatomy, count)
    return seen


def refuse_earlier(adapter: Adapter, count: int | None, method: str) -> None:
    """Raise an `AnatomyError` where a method that is held to the last blocks acts before them."""
    found = None if count is None else first_acted(adapter)
    if found is not None and found[0] <= len(adapter.anatomy.blocks) - (count or 0):
        raise AnatomyError(earlier(found[1], count or 0, method))


def earlier(what: str, count: int, method: str = "this method") -> str:
    """The sentence of whoever needs something that comes before."""
    return (
        f"`{what}` lies before the blocks to which `method.last_blocks={count}` holds {method},"
        " which acts there: leave `last_blocks` out, or what the method does there, or take"
        " another method"
    )
