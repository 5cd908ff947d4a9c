"""What an answer draws, as JSON-able records for the scripts of a page.

Shapes: H by W a raster.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import torch
from torch import Tensor

from onlay.model.scales import limits_of
from onlay.pages.records import Record
from onlay.reports import PERCENT
from onlay.task import Bars, Raster

LARGEST = 512
"""Cells of a side; of larger rasters every second cell is shown, every third, and so on."""
NOTHING = 255
"""The byte of a cell without a number, and of labels beyond the 255 most frequent ones."""


def drawn(pieces: Sequence[Bars | Raster]) -> list[Record]:
    """A record for each piece."""
    return [_bars(piece) if isinstance(piece, Bars) else _raster(piece) for piece in pieces]


def _bars(bars: Bars) -> Record:
    """Rows of name, number as text, and the bar's length from 0 to 1: shares as they are, other
    numbers beside the largest one."""
    most = max((abs(value) for value in bars.values.values()), default=1.0) or 1.0
    whole = 1.0 if bars.measure == PERCENT and most <= 1 else most
    rows = [
        [name, bars.measure.text(value, places=1), round(max(value, 0.0) / whole, 4)]
        for name, value in bars.values.items()
    ]
    return {"kind": "bars", "title": bars.title, "rows": rows}


def _raster(raster: Raster) -> Record:
    values_HW = torch.as_tensor(raster.values_HW).detach().cpu()
    step = -(-max(*values_HW.shape, 1) // LARGEST)
    values_HW = values_HW[::step, ::step]
    shape: Record = {"title": raster.title, "size": list(values_HW.shape)}
    return shape | (_labels(values_HW, raster) if raster.labels else _numbers(values_HW, raster))


def _labels(indices_HW: Tensor, raster: Raster) -> Record:
    """Bytes are places in the legend: `[label, its share, its index]`, with its colour where it
    has one of its own, the most frequent first."""
    found, places_HW, counts = indices_HW.long().unique(return_inverse=True, return_counts=True)
    order = counts.argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    shares = [PERCENT.text(int(n) / max(indices_HW.numel(), 1), places=1) for n in counts]
    labels = [raster.labels[index] for index in found.tolist()]
    own = [[raster.colours[index]] if raster.colours else [] for index in found.tolist()]
    legend = [[labels[n], shares[n], int(found[n]), *own[n]] for n in order[:NOTHING].tolist()]
    return {"kind": "labels", "legend": legend, "cells": _bytes(rank[places_HW])}


def _numbers(values_HW: Tensor, raster: Raster) -> Record:
    """Bytes from 0 for the least number to 254 for the largest, or for the raster's limits; the two
    of them as text."""
    values_HW, known_HW = values_HW.double(), values_HW.isfinite()
    low, high = limits_of(raster)
    scaled_HW = (values_HW.where(known_HW, low) - low) / ((high - low) or 1.0) * (NOTHING - 1)
    cells_HW = scaled_HW.round().clamp(0, NOTHING - 1).where(known_HW, float(NOTHING))
    ends = [f"{value:.4g} {raster.unit}".strip() for value in (low, high)]
    return {"kind": "numbers", "range": ends, "cells": _bytes(cells_HW)}


def _bytes(cells_HW: Tensor) -> str:
    return b64encode(cells_HW.clamp(max=NOTHING).to(torch.uint8).numpy().tobytes()).decode()
