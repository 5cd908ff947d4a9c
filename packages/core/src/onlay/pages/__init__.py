"""The frame of the pages that `onlay inspect` writes: title, what the page is of, choices, what
their colours mean, legend and small pictures.

A modality's viewer adds the data to draw and a script. The script calls `start(viewer)` of
`page.js` with functions: `small(canvas, block, input)` draws one block of an input on a canvas,
`large(element, block, input)` the chosen one in an element, without a block the bare input;
`bare(input)`, if there is one, makes an image of the input. A page needs no network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from onlay.inspecting import Observation
from onlay.machine.disk import write_text
from onlay.model.answers import Answers
from onlay.pages.drawn import drawn
from onlay.pages.records import Record, differences, pictures, signals

__all__ = ["COLOURS", "Record", "differences", "pictures", "signals", "write"]

SCRIPTS = ("page.js", "legend.js", "pictures.js", "answers.js")
COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#871e3c",
    "#3c5a00", "#ffc3b4", "#78f0e1", "#871e96", "#005a5a", "#f0d2ff", "#4be187", "#f04b69",
    "#78961e", "#962d00", "#9678f0", "#875a78", "#009696", "#87694b", "#b4a578", "#2d694b",
    "#ff8769", "#2d4b78", "#ff87f0", "#ffa5c3", "#c34bb4", "#c31e3c", "#78b4a5", "#f0d296",
)  # fmt: skip
"""For categories; they repeat after 32. The first seven are Okabe and Ito's; each further one is
the muted colour that is farthest (CIEDE2000) from those before it, half of that for full colour
vision and half for the worse of protanopia and deuteranopia (Machado 2009)."""


def write(
    observations: Sequence[Observation],
    out: Path,
    *,
    data: Sequence[Mapping[str, Any]],
    scripts: Sequence[str],
    more: Sequence[Sequence[Record]] = (),
) -> None:
    """Write one page of one or several inputs.

    Args:
        data: what the scripts find of each input, beside its signals and pictures.
        scripts: JavaScript source; the last one calls `start`.
        more: for each input, records like those of `signals`, of what else there is to see.
    """
    records = [_record(observations, index) for index in range(len(observations))]
    for index, record in enumerate(records):
        record["signals"] += more[index] if more else []
        record |= data[index]
    everything = {"colours": COLOURS, "differ": differences(observations), "inputs": records}
    here = files("onlay.pages")
    sources = [here.joinpath(name).read_text("utf-8") for name in SCRIPTS]
    page = Template(here.joinpath("page.html").read_text("utf-8")).substitute(
        title=escape("; ".join(f"{r['name']}: {r['prediction']}" for r in records)),
        heading=", ".join(map(_heading, records)),
        about="".join(_fact(name, value) for name, value in observations[0].about.items()),
        data=_embedded(everything),
        scripts="\n".join([*sources, *scripts]),
    )
    write_text(out, page)


def _record(observations: Sequence[Observation], index: int) -> Record:
    seen, asked = observations[index], Answers(observations[index].task)
    others = [other for other in observations if other is not seen]
    line, pieces = asked.line(seen.prediction), asked.drawn(seen.prediction)
    if seen.truth is not None:
        line = f"{line}; truly {asked.line(seen.truth)}"
        pieces = asked.compared(seen.prediction, seen.truth)
    return {
        "name": seen.source.name,
        "prediction": line,
        "answer": drawn(pieces),
        "signals": signals(seen.signals, [s for other in others for s in other.signals]),
        "pictures": pictures(seen.pictures),
    }


def _heading(record: Record) -> str:
    return f"{escape(record['name'])} <span>{escape(record['prediction'])}</span>"


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt> <dd>{escape(value)}</dd></div>"


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element around it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
