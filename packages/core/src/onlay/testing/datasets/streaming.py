"""Training parts that can only be read in their own order."""

from __future__ import annotations

from itertools import islice
from typing import Any

from onlay.data import is_stream, require_seekable
from onlay.machine.chance import generators_kept, seed_host
from onlay.testing.checking import require
from onlay.testing.datasets.case import DatasetCase, Item, alike


def no_stream(case: DatasetCase) -> str:
    return "" if is_stream(case.splits.train) else "its items are read by their index"


def check_streams_go_on_from_any_place(case: DatasetCase) -> None:
    """A training part that can only be read in its own order gives, after `seek(epoch, n)`, the
    items of that epoch from the nth on, the same ones each time, as far as `len()` says."""
    require_seekable(case.splits, case.dataset.name)
    part: Any = case.splits.train
    for epoch in (0, 1):
        whole = _read(part, epoch, 0)
        require(len(whole) == len(part), f"it has {len(whole)} items, and `len()` is {len(part)}")
        for place in (len(part) - 1, len(part) // 2, 1):
            rest = _read(part, epoch, place)
            same = len(rest) == len(part) - place and all(map(alike, rest, whole[place:]))
            require(same, f"after `seek({epoch}, {place})` come other items than lie there")


def _read(part: Any, epoch: int, place: int) -> list[Item]:
    """To the end of the epoch, each item under a seed of its own."""
    found = []
    with generators_kept():
        part.seek(epoch, place)
        items = iter(part)
        for at in range(place, len(part)):
            seed_host(epoch, at)
            found += islice(items, 1)
    return found
