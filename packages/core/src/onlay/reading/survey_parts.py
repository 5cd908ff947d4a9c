"""All items of splits, read once as evaluation shows them: for data that list nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
from torch import Tensor

from onlay.data import Splits, is_stream, items_of
from onlay.errors import OnlayError
from onlay.reading.duplicates import Placed
from onlay.reading.layouts import Layout
from onlay.reading.listing import PARTS, Item, Tags
from onlay.reading.survey import Seen, Survey, summed_up


def survey_parts(splits: Splits) -> Survey:
    """What `onlay.reading.survey.survey` tells, of inputs as a backbone gets them."""
    placed: list[Placed] = []
    seen: list[Seen] = []
    for name, attribute in PARTS.items():
        part = getattr(splits, attribute)
        if part is None:
            continue
        still = getattr(part, "plain", None) if attribute == "train" else part
        for number, (item, own) in enumerate(_items(part if still is None else still)):
            placed.append(Placed(name, _item(item, splits, f"{attribute} {number}")))
            seen.append(own if still is not None else own._replace(fingerprint=None))
    parts = {name: [one.item for one in placed if one.part == name] for name in PARTS}
    notes = tuple(splits.facts.get("notes", ()))
    return summed_up(Layout(parts, notes, splits.targets), placed, seen, splits.labels)


def _items(part: Any) -> Iterator[tuple[Any, Seen]]:
    """Every item, `None` where it cannot be read, and what it turned out to be."""
    if is_stream(part):  # which cannot go on behind what it fails to read
        yield from ((item, _seen(item[0])) for item in items_of(part))
        return
    for index in range(len(part)):
        try:
            item = part[index]
        except OnlayError as error:
            yield None, Seen((), None, str(error))
        else:
            yield item, _seen(item[0])


def _seen(inputs: Any) -> Seen:
    if not isinstance(inputs, Tensor):
        return Seen((), None)
    return Seen(tuple(inputs.shape), _hash(inputs))


def _hash(inputs: Tensor) -> Hashable:
    values = inputs.detach().cpu().contiguous().view(-1).numpy()
    return hashlib.blake2b(f"{tuple(inputs.shape)}".encode() + values.tobytes()).digest()


def _item(item: Any, splits: Splits, key: str) -> Item:
    if item is None or splits.targets not in ("", "class", "labels"):
        return Item(None, "", key, Tags(frozenset()))
    target = np.asarray(item[1])
    if splits.targets == "labels":
        own = frozenset(splits.labels[int(n)] for n in np.flatnonzero(target == 1))
        return Item(None, "|".join(sorted(own)), key, Tags(own))
    return Item(None, splits.labels[int(target)], key)
