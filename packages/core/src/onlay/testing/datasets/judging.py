"""What is judged of data that a run was not trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from onlay.data import Splits, items_of
from onlay.testing.checking import require
from onlay.testing.datasets.case import KNOWN, SEEN, DatasetCase, named, parts_of, some


def no_whole(case: DatasetCase) -> str:
    return "" if case.dataset.whole else "one part of other data is judged"


def check_whole_has_every_item_once(case: DatasetCase) -> None:
    """`whole`, where there is one, gives the items of all parts once, each with the same label,
    which it numbers as it is told, and the digest that `build` gives."""
    splits, told = case.splits, tuple(reversed(case.splits.labels))
    read: Any = case.host.load("dataset", case.dataset.name, "whole")
    found = read(case.config, case.backbone.input_spec, told)
    turned = replace(splits, labels=told)
    ours = Counter(_words(target, splits) for own in _unchanged(case) for target in own)
    seen = [found.everything[index] for index in range(len(found.everything))]
    theirs = Counter(_words(target, turned) for _, target in seen)
    require(ours == theirs, f"its labels are {dict(theirs)}, and those of all parts {dict(ours)}")
    words = {inputs.numpy().tobytes(): _words(target, turned) for inputs, target in seen}
    for name in ("validation", "test"):
        for inputs, target in some(getattr(splits, name) or []):
            own, there = _words(target, splits), words.get(inputs.numpy().tobytes(), "not there")
            require(there == own, f"a `{own}` of `{name}` is {there}")
    require(found.digest == case.splits.digest, "its digest is another than that of `build`")
    apart = sum(len(part) for part in found.parts.values())
    require(apart == len(seen), f"its parts have {apart} of {len(seen)} items")


def _unchanged(case: DatasetCase) -> Iterator[Sequence[Any]]:
    """The targets of each part as evaluation sees them: where they lie on inputs, chance changes
    those of training, which has a `plain` view."""
    for name, part in parts_of(case.splits):
        plain = getattr(part, "plain", None)
        if case.splits.targets in KNOWN or name != "train" or plain is None:
            yield case.targets[name]
        else:
            yield [target for _, target in items_of(plain)]


def no_layout(case: DatasetCase) -> str:
    return "" if case.dataset.layout else "its items are listed by nothing but a run"


def check_layout_lists_every_item(case: DatasetCase) -> None:
    """`layout`, where there is one, lists the items of all parts once, under their labels, and its
    `measure`, or the modality's where that is installed, reads each and says how large it is."""
    layout: Any = case.host.load("dataset", case.dataset.name, "layout")(case.config)
    items = [item for own in layout.parts.values() for item in own]
    total = sum(map(len, case.targets.values()))
    fits = len(items) <= total if layout.cut else len(items) == total
    require(fits, f"it lists {len(items)} items, and all parts have {total}")
    if case.splits.targets in ("", "class"):
        listed = Counter(item.label for item in items)
        told = Counter(_words(x, case.splits) for own in case.targets.values() for x in own)
        require(listed == told, f"it lists {dict(listed)}, and all parts have {dict(told)}")
    modality = case.host.modalities.get(case.dataset.modality)
    whose = ("dataset", case.dataset.name) if case.dataset.measure else None
    if whose is None and modality is not None and modality.measure:
        whose = ("modality", modality.name)
    if whose is not None:
        measure = case.host.load(*whose, "measure")(case.config)
        extents = [tuple(measure(item.source)) for item in items[:SEEN]]
        require(all(map(_positive, extents)), f"extents are {extents}")


def _positive(extent: tuple[int, ...]) -> bool:
    return bool(extent) and all(isinstance(side, int) and side > 0 for side in extent)


def _words(target: Any, splits: Splits) -> str:
    return ", ".join(sorted(named(target, splits)))
