"""What adapters show, as JSON-able records for the scripts of a page.

Shapes: N patch or group tokens, K parts of a token, n pictures of h by w.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from onlay.features import map_of
from onlay.inspecting import Observation, Picture, Signal, by_name, titles
from onlay.pages.changes import CHANGE

Record = dict[str, Any]


def signals(found: Sequence[Signal], beside: Sequence[Signal] = ()) -> list[Record]:
    """The signals of one input, a record for each name: those of categories first, what every
    adapter has last.

    Args:
        beside: those of the other inputs on the page, with which numbers share their range.
    """
    kinds, others = by_name(found), by_name(beside)
    order = sorted(kinds, key=lambda n: (n == CHANGE, kinds[n][0].categories is None, n))
    return [_signal(kinds[name], others.get(name, [])) for name in order]


def _signal(same: Sequence[Signal], beside: Sequence[Signal]) -> Record:
    pairs = zip(titles(same), same, strict=True)
    blocks = [_block(title, signal) | {"block": signal.block} for title, signal in pairs]
    categories = same[0].categories
    record: Record = {"name": same[0].name, "categories": categories, "blocks": blocks}
    record["meaning"] = same[0].meaning
    if categories is None:
        record |= _range([*same, *beside])
        blocks += [] if same[0].name == CHANGE else _mean(same)
    return record


def _range(same: Sequence[Signal]) -> Record:
    """Of all values, 0 included; `still` where a change is 0 everywhere."""
    values = torch.cat([signal.patches_NK.flatten() for signal in same])
    low, high = float(values.min()), float(values.max())
    still = same[0].name == CHANGE and not values.any()
    return {"range": [_short(min(low, 0.0)), _short(max(high, 1e-6))], "still": still}


def _block(title: str, signal: Signal) -> Record:
    categorical, grid = signal.categories is not None, map_of(signal.layout)
    summary_N, agreement_N = signal.summary()
    record: Record = {
        "title": title,
        "values": _rows(signal.patches_NK, whole=categorical),
        "summary": _rows(summary_N, whole=categorical),
        "agreement": _rows(agreement_N),
        "usage": _rows(signal.usage()) if categorical else None,
    }
    return record | ({"grid": [*grid]} if grid else {})


def _mean(same: Sequence[Signal]) -> Iterator[Record]:
    """Of the blocks of numbers, where there are several and all have the same patches and parts."""
    shapes = {tuple(signal.patches_NK.shape) for signal in same}
    if len(same) > 1 and len(shapes) == 1:
        mean_NK = torch.stack([signal.patches_NK for signal in same]).mean(0)
        first = same[0]
        mean = Signal(first.name, first.block, mean_NK, None, first.layout)
        yield _block("mean of the blocks", mean)


def pictures(found: Sequence[Picture]) -> list[Record]:
    """The pictures of one input, a record for each name."""
    return [
        {
            "name": name,
            "meaning": same[0].meaning,
            "blocks": [_one(*pair) for pair in zip(titles(same), same, strict=True)],
        }
        for name, same in by_name(found).items()
    ]


def _one(title: str, picture: Picture) -> Record:
    size = list(picture.values_nhw.shape[1:])
    values = _rows(picture.values_nhw.flatten(1))
    return {"title": title, "block": picture.block, "size": size, "values": values}


def differences(observations: Sequence[Observation]) -> dict[str, dict[str, float]]:
    """How much the pictures of several inputs differ, by their name and by block (its title).

    ||a - b|| over the mean of ||a|| and ||b||, 0 to 2; of more than two inputs the mean over pairs.
    Empty for one input.
    """
    if len(observations) < 2:
        return {}
    first, *others = (by_name(seen.pictures) for seen in observations)
    found: dict[str, dict[str, float]] = {}
    for name, same in first.items():
        each = zip(same, *(other[name] for other in others), strict=True)
        found[name] = dict(zip(titles(same), map(_difference, each), strict=True))
    return found


def _difference(pictures: Sequence[Picture]) -> float:
    pairs = combinations([picture.values_nhw for picture in pictures], 2)
    return fmean(2 * float((a - b).norm() / (a.norm() + b.norm() + 1e-30)) for a, b in pairs)


def _rows(values: Tensor, *, whole: bool = False) -> list[Any]:
    if values.ndim == 1:
        return values.int().tolist() if whole else [_short(value) for value in values.tolist()]
    return [_rows(row, whole=whole) for row in values]


def _short(value: float) -> float:
    return float(f"{value:.4g}")
