"""The same thing in two parts, or with two labels: found by size first, then by content."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from onlay.errors import DataError
from onlay.reading.listing import PARTS, Item, Listing, content_hash
from onlay.reading.packed import Packed

COMPARED_UP_TO = 50_000
"""Things whose content is compared where nobody asks for it; of more, paths alone are."""

_PIECE = 4096
_RANK = {part: rank for rank, part in enumerate(("train", "val", "test"))}


class Placed(NamedTuple):
    """An item and the part that it is in."""

    part: str
    item: Item


def settled(listing: Listing, mode: str, noun: str) -> Listing:
    """The listing as `data.duplicates` wants it; what was found is in its notes.

    Of one thing in two parts, `drop` keeps those of the test, else of validation; of one thing with
    two labels nothing, for nobody knows which is right.

    Raises:
        DataError: `refuse`, and there are some.
    """
    placed = [Placed(part, item) for part, items in listing.parts().items() for item in items]
    groups = repeated(placed, by_content=mode != "warn" or len(placed) <= COMPARED_UP_TO)
    if not groups:
        return listing
    texts = told(groups, noun)
    if mode == "refuse":
        raise DataError(f"{'; '.join(texts)}: see `data.duplicates`")
    if mode == "warn":
        hint = "`data.duplicates=drop` leaves such files out"
        return replace(listing, notes=(*listing.notes, *(f"warning: {t}; {hint}" for t in texts)))
    dropped = {id(one.item) for group in groups for one in _surplus(group)}
    kept: dict[str, Any] = {
        part: [item for item in items if id(item) not in dropped]
        for part, items in listing.parts().items()
    }
    notes = (*listing.notes, *(f"left out: {text}" for text in texts))
    return replace(listing, **kept, notes=notes)


def repeated(placed: Sequence[Placed], *, by_content: bool) -> list[list[Placed]]:
    """Groups of one and the same thing in several parts or with several labels."""
    groups = [list(placed)]
    for key in (_size, _pieces, _content) if by_content else (_real_path,):
        groups = _grouped(groups, key)
    return groups


def _grouped(
    groups: Iterable[list[Placed]], key: Callable[[Any], Hashable | None]
) -> list[list[Placed]]:
    """Smaller groups of equal keys; what has none, and what is no matter, is left out."""
    found: list[list[Placed]] = []
    for group in groups:
        alike: dict[Hashable, list[Placed]] = defaultdict(list)
        for one in group:
            if (own := key(one.item.source)) is not None:
                alike[own].append(one)
        found += [own for own in alike.values() if spread(own)]
    return found


def spread(group: Sequence[Placed]) -> bool:
    """Is it in several parts, or under several labels?"""
    first = group[0]
    return any(one.part != first.part or one.item.label != first.item.label for one in group)


def _surplus(group: Sequence[Placed]) -> list[Placed]:
    if len({one.item.label for one in group}) > 1:
        return list(group)
    last = max(_RANK[one.part] for one in group)
    return [one for one in group if _RANK[one.part] < last]


def told(groups: Sequence[Sequence[Placed]], noun: str) -> list[str]:
    """How many are in two parts, how many have two labels, and two names of each."""
    split = [_differing(g, lambda one: PARTS.get(one.part, one.part)) for g in groups]
    named = [_differing(g, lambda one: one.item.label) for g in groups]
    texts = []
    for pairs, what in ((split, "in two parts"), (named, "there with two labels")):
        found = [pair for pair in pairs if pair]
        if found:
            one, two = found[0]
            many = f"{len(found):,} {noun}s are" if len(found) > 1 else f"one {noun} is"
            texts.append(f"{many} {what} ({one} and {two})")
    return texts


def _differing(group: Sequence[Placed], fact: Callable[[Placed], str]) -> tuple[str, str] | None:
    """The first two of a group that differ, in words."""
    other = next((one for one in group if fact(one) != fact(group[0])), None)
    if other is None:
        return None
    one, two = (f"`{each.item.key}`, {fact(each)}" for each in (group[0], other))
    return one, two


def _real_path(source: Any) -> str | None:
    return os.path.realpath(source) if isinstance(source, Path) else None


def _size(source: Any) -> Hashable | None:
    """None for what cannot be compared: no plain file, or an empty one, which readers name."""
    if isinstance(source, np.ndarray):
        return (source.dtype.str, source.shape) if source.dtype != object else None
    if isinstance(source, Packed):
        return source.size or None
    try:
        facts = os.stat(source)
    except (OSError, TypeError, ValueError):
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) and facts.st_size else None


def _pieces(source: Any) -> Hashable | None:
    """A hash of begin, middle and end of a file, and of all of what is in memory or packed."""
    if isinstance(source, np.ndarray):
        return content_hash(source)
    if isinstance(source, Packed):
        return hashlib.blake2b(source.read()).digest()
    try:
        with open(source, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            found = hashlib.blake2b()
            for start in (0, size // 2, size - _PIECE):
                file.seek(max(0, start))
                found.update(file.read(_PIECE))
    except OSError:
        return None
    return found.digest()


def fingerprint(source: Any) -> Hashable | None:
    """Equal for equal contents; None for what cannot be compared, and for what is empty."""
    own = _content(source) if isinstance(source, Path) else _pieces(source)
    return own if isinstance(source, Packed) or _size(source) else None


def _content(source: Any) -> Hashable | None:
    if isinstance(source, np.ndarray | Packed):
        return 0  # is equal already
    try:
        with open(source, "rb") as file:
            return hashlib.file_digest(file, hashlib.blake2b).digest()
    except OSError:
        return None
