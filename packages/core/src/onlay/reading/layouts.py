"""What folders and tables of files come to: their parts as they lie, then those of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onlay.config.data import SplitConfig
from onlay.errors import DataError
from onlay.reading.listing import Item, Listing, stratified

WHOLE = "whole"
"""The name of everything, where a layout has no parts."""

PARTS_HINT = "say which name is which part with `data.parts` (`data.parts.train=NAME`, likewise"
PARTS_HINT += " `val` and `test`)"


@dataclass(frozen=True)
class Layout:
    """Items under `train`, `val` and `test`, as far as there are any, or all under `whole`."""

    parts: Mapping[str, Sequence[Item]]
    notes: tuple[str, ...] = ()
    """What a user should know of the reading: what was left out, or looked through."""
    targets: str = "class"
    """As `Listing` has it, and so has it `names`."""
    names: tuple[str, ...] = ()
    cut: bool = False
    """Items are cut into pieces of which parts are made, as scenes into blocks: of these there are
    as many or more."""


def divided(layout: Layout, config: SplitConfig, noun: str) -> Listing:
    """The parts of a run: those that there are; else what is split off, stratified.

    Raises:
        DataError: no training part beside others, or too few items to split.
    """
    parts = dict(layout.parts)
    train, test = parts.get("train", []), parts.get("test", [])
    if WHOLE in parts:
        seed = config.split_seed if config.test_seed is None else config.test_seed
        train, test = stratified(parts[WHOLE], config.test_size, seed, noun=noun)
    elif not train:
        have = ", ".join(part for part, items in parts.items() if items)
        raise DataError(
            f"there are no {noun}s to train on (parts with {noun}s: {have or 'none'});"
            f" if one of other names is meant, {PARTS_HINT}"
        )
    val = parts.get("val", [])
    if not val:
        train, val = stratified(train, config.val_size, config.split_seed, noun=noun)
    facts: dict[str, Any] = {"targets": layout.targets, "names": layout.names}
    chance = WHOLE in parts and config.test_seed is None and bool(test)
    return Listing(train, val, test, notes=layout.notes, test_varies=chance, **facts)
