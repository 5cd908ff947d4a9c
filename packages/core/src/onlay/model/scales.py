"""Which numbers of a drawn map have which colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from onlay.task import Bars, Raster

Piece = Bars | Raster


def limits_of(raster: Raster) -> tuple[float, float]:
    """The numbers with the first and the last colour."""
    if raster.limits is not None:
        return raster.limits
    values_HW = torch.as_tensor(raster.values_HW).detach().cpu().double()
    known = values_HW[values_HW.isfinite()]
    return (float(known.min()), float(known.max())) if known.numel() else (0.0, 0.0)


def on_one_scale(ones: Sequence[Piece], others: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """The pieces of two answers of one kind, maps of numbers under one title with the colours of
    the range of both."""
    first, second = list(ones), list(others)
    for place, pair in enumerate(zip(ones, others, strict=False)):
        one, other = pair
        if isinstance(one, Raster) and isinstance(other, Raster) and _alike(one, other):
            (low, high), (lower, higher) = limits_of(one), limits_of(other)
            both = min(low, lower), max(high, higher)
            first[place], second[place] = (replace(piece, limits=both) for piece in (one, other))
    return first, second


def _alike(one: Raster, other: Raster) -> bool:
    numbers = not one.labels and not other.labels
    known = all(bool(torch.as_tensor(x.values_HW).isfinite().any()) for x in (one, other))
    return numbers and known and (one.title, one.unit) == (other.title, other.unit)
