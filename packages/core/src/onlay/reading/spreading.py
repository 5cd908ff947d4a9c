"""Dividing things of several labels, or with numbers, so that every part has its share of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from onlay.errors import DataError
from onlay.reading.listing import Item, Tags

BINS = 10
"""A part has its share of each tenth of the numbers."""


def traits(items: Sequence[Item]) -> list[frozenset[Hashable]]:
    """What parts are to have shares of: the class of each item, its labels, or the tenths that its
    numbers lie in."""
    first = items[0].target if items else None
    if first is None:
        return [frozenset({item.label}) for item in items]
    if isinstance(first, Tags):
        return [item.target.has for item in items if isinstance(item.target, Tags)]
    numbers = [list(item.target.values()) for item in items if isinstance(item.target, Mapping)]
    return tenths(np.array(numbers, dtype=np.float64))


def tenths(values_NC: np.ndarray) -> list[frozenset[Hashable]]:
    """Of each row which tenth each number lies in."""
    ends = np.linspace(0, 1, BINS + 1)[1:-1]
    bins_NC = [np.searchsorted(np.quantile(v, ends), v, side="right") for v in values_NC.T]
    return [frozenset(enumerate(map(int, row))) for row in zip(*bins_NC, strict=True)]


def spread_off(
    items: Sequence[Item], size: float, seed: int, noun: str
) -> tuple[list[Item], list[Item]]:
    """Split off `size` items, a share below 1, else a number.

    Raises:
        DataError: nothing would stay.
    """
    apart = math.ceil(size * len(items)) if size < 1 else int(size)
    if apart >= len(items):
        raise DataError(
            f"{apart} of {len(items)} {noun}s cannot be split off: none would stay; see"
            " `data.test_size` and `data.val_size`"
        )
    kept, off = spread(traits(items), (len(items) - apart, apart), seed)
    return [items[i] for i in kept], [items[i] for i in off]


def spread(
    traits: Sequence[frozenset[Hashable]], sizes: Sequence[int], seed: int
) -> list[list[int]]:
    """Indices of as many parts as there are `sizes`, which add up to all: the rarest trait is dealt
    out first, each time to the part that lacks most of it (Sechidis, Tsoumakas, Vlahavas 2011).

    >>> spread([frozenset("a"), frozenset("ab"), frozenset("a"), frozenset("ab")], [2, 2], 0)
    [[1, 2], [0, 3]]
    """
    chance = np.random.default_rng(seed)
    left = list(map(int, chance.permutation(len(traits))))
    counts = Counter(trait for own in traits for trait in own)
    room = np.array(sizes, dtype=np.float64)
    wanted = {t: n * room / len(traits) for t, n in counts.items()}
    parts: list[list[int]] = [[] for _ in sizes]
    for trait in sorted(counts, key=lambda t: (counts[t], repr(t))):
        for index in [i for i in left if trait in traits[i]]:
            part = _neediest(wanted[trait], room)
            parts[part].append(index)
            room[part] -= 1
            for own in traits[index]:
                wanted[own][part] -= 1
        left = [i for i in left if trait not in traits[i]]
    for index in left:  # without any label
        part = _neediest(room, room)
        parts[part].append(index)
        room[part] -= 1
    return [sorted(part) for part in parts]


def _neediest(wanted: np.ndarray, room: np.ndarray) -> int:
    """The part with room that lacks most; of equals the one with most room."""
    best = max((p for p in range(len(room)) if room[p] > 0), key=lambda p: (wanted[p], room[p]))
    return int(best)
