"""A column of a table that says which part each row belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onlay.errors import DataError
from onlay.reading.layouts import PARTS_HINT
from onlay.reading.listing import some
from onlay.reading.part_names import assigned, told

USUAL = ("split", "part", "partition", "subset", "set", "dataset", "phase", "usage")
"""What such a column is called, as `plain` has it; the first is ours."""


def plain(name: str) -> str:
    """In lower case without blanks and underscores."""
    return re.sub(r"[\s_]", "", name).casefold()


def parts_of(first: Mapping[str, str], parts: Any, where: Path) -> dict[str, str]:
    """The part of every name in the column that has one. `first` tells where each name stands
    first (`line 3 of ...`), in that order; `parts` is `data.parts`.

    Raises:
        DataError: a name that is no part; one of `data.parts` that is not there.
    """
    if isinstance(parts, Mapping):
        names = told(parts)
        if absent := sorted(set(names) - set(first)):
            raise DataError(
                f"`data.parts` names {some(absent)}, and `{where}` has the splits"
                f" {some(sorted(first))}"
            )
        return names
    names = assigned(sorted(first))
    if unknown := [name for name in first if name not in names]:
        raise DataError(
            f"{first[unknown[0]]} has the split `{unknown[0]}` (known: train, val, test);"
            f" {PARTS_HINT}, or `data.parts=none`"
        )
    return names


def left_out(splits: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """What to say of rows whose split is no part; `splits` are those of all rows."""
    aside = [split for split in splits if names.get(split, "aside") == "aside"]
    if not aside:
        return ()
    return (f"left out: {len(aside):,} row{'s' * (len(aside) > 1)} of {some(sorted(set(aside)))}",)
