"""The frame of the pages that `inlay inspect` writes: title, choices, legend and small pictures.

A modality's viewer adds the data to draw and a script. The script calls `start(small, large)` of
`page.js`: `small(canvas, block)` draws one block on a canvas, `large(block)` draws the chosen one
in the element `#large`. A page needs no network.

Shapes: N patch or group tokens, K parts of a token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

import torch
from torch import Tensor

from inlay.features import Grid
from inlay.inspecting import Observation, Signal, titles

COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#871e3c",
    "#3c5a00", "#ffc3b4", "#78f0e1", "#871e96", "#005a5a", "#f0d2ff", "#4be187", "#f04b69",
    "#78961e", "#962d00", "#9678f0", "#875a78", "#009696", "#87694b", "#b4a578", "#2d694b",
    "#ff8769", "#2d4b78", "#ff87f0", "#ffa5c3", "#c34bb4", "#c31e3c", "#78b4a5", "#f0d296",
)  # fmt: skip
"""For categories; they repeat after 32. The first seven are Okabe and Ito's; each further one is
the muted colour that is farthest (CIEDE2000) from those before it, half of that for full colour
vision and half for the worse of protanopia and deuteranopia (Machado 2009)."""

Record = dict[str, Any]


def write(
    observation: Observation,
    out: Path,
    *,
    data: Mapping[str, Any],
    scripts: Sequence[str],
    more: Sequence[Record] = (),
) -> None:
    """Write the page of an observation.

    Args:
        data: what the scripts find in `data`, beside the observation's signals.
        scripts: JavaScript source; the last one calls `start`.
        more: records like those of `signals`, of what else there is to see.
    """
    first, share = next(iter(observation.prediction.ranked.items()))
    shown = [*signals(observation.signals), *more]
    everything = {"colours": COLOURS, "signals": shown} | dict(data)
    here = files("inlay.pages")
    page = Template(here.joinpath("page.html").read_text("utf-8")).substitute(
        name=escape(observation.source.name),
        prediction=escape(f"{first}, {100 * share:.0f} %"),
        data=_embedded(everything),
        scripts="\n".join([here.joinpath("page.js").read_text("utf-8"), *scripts]),
    )
    out.write_text(page, encoding="utf-8")


def signals(found: Sequence[Signal]) -> list[Record]:
    """The signals as JSON-able records, one for each name, those of categories first."""
    by_name = sorted(found, key=lambda signal: (signal.categories is None, signal.name))
    return [_signal(list(same)) for _, same in groupby(by_name, key=lambda signal: signal.name)]


def _signal(same: Sequence[Signal]) -> Record:
    blocks = [_block(*pair) for pair in zip(titles(same), same, strict=True)]
    categories = same[0].categories
    record: Record = {"name": same[0].name, "categories": categories, "blocks": blocks}
    if categories is None:
        values = torch.cat([signal.patches_NK.flatten() for signal in same])
        low, high = float(values.min()), float(values.max())
        record["range"] = [_short(min(low, 0.0)), _short(max(high, 1e-6))]
        blocks += _mean(same)
    return record


def _block(title: str, signal: Signal) -> Record:
    categorical, layout = signal.categories is not None, signal.layout
    summary_N, agreement_N = signal.summary()
    record: Record = {
        "title": title,
        "values": _rows(signal.patches_NK, whole=categorical),
        "summary": _rows(summary_N, whole=categorical),
        "agreement": _rows(agreement_N),
        "usage": _rows(signal.usage()) if categorical else None,
    }
    return record | ({"grid": [layout.height, layout.width]} if isinstance(layout, Grid) else {})


def _mean(same: Sequence[Signal]) -> Iterator[Record]:
    """Of the blocks of numbers, where there are several and all have the same patches and parts."""
    shapes = {tuple(signal.patches_NK.shape) for signal in same}
    if len(same) > 1 and len(shapes) == 1:
        mean_NK = torch.stack([signal.patches_NK for signal in same]).mean(0)
        first = same[0]
        mean = Signal(first.name, first.block, mean_NK, None, first.layout)
        yield _block("mean of the blocks", mean)


def _rows(values: Tensor, *, whole: bool = False) -> list[Any]:
    if values.ndim == 1:
        return values.int().tolist() if whole else [_short(value) for value in values.tolist()]
    return [_rows(row, whole=whole) for row in values]


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element around it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
