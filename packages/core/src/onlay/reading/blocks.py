"""Which things of a list lie in one file, and whether files hold things of a single class."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from onlay.data import Blocks
from onlay.reading.packed import Packed


def blocks_of(sources: Sequence[Packed], window: int) -> Blocks:
    """One block for each run of things in one container, such as a tar."""
    runs = groupby(sources, key=lambda source: source.container)
    return Blocks(tuple(sum(1 for _ in run) for _, run in runs), window)


def sorted_note(sources: Sequence[Packed], targets: Sequence[Any]) -> tuple[str, ...]:
    """What is to be said where the first container holds one class alone and others another."""
    first = sources[0].container
    own = {target for s, target in zip(sources, targets, strict=True) if s.container == first}
    if len(own) > 1 or len(set(targets)) < 2:
        return ()
    return (
        f"warning: `{first}` holds one class alone; where data are sorted like that, `data.order:"
        " blocks` shows few classes at a time: mix them when packing, or take `global`",
    )
