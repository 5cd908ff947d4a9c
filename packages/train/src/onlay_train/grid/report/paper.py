"""On what drawings are made: SVG as wide as a telephone, whose text is text."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 3.6
"""Inches: at 96 points each a little less than a telephone is wide, so that text keeps its size."""
_STYLE = {
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "onlay",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def drawn(draw: Callable[[Axes], None], height: float) -> str:
    """What `draw` draws, as SVG of so many inches."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.subplots())
        text = StringIO()
        figure.savefig(
            text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
        )
    return text.getvalue()[text.getvalue().index("<svg") :]


def room_for(lines: int) -> float:
    """Inches that so many names take below each other."""
    return 0.2 * lines


def cut(text: str, length: int = 24) -> str:
    """The beginning and the end, where variants of one method differ."""
    half = length // 2
    return text if len(text) <= length else f"{text[: half - 1]}…{text[-half:]}"
