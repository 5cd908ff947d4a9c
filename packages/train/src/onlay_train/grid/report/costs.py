"""What a method reaches against what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from onlay_train.grid.report.paper import cut
from onlay_train.grid.report.rows import Found
from onlay_train.grid.report.summary import Standing, Summary

Cost = Callable[[Standing], float]
COSTS: dict[str, Cost] = {
    "trained parameters": lambda s: s.trained,
    "milliseconds a step": lambda s: 1000 * s.step_seconds,
    "peak memory, MiB": lambda s: s.peak_bytes / 2**20,
    "bundle, KiB": lambda s: s.bundle_bytes / 2**10,
}
STEPS = (
    (10, (1.0, 2.0, 3.0, 5.0, 7.0)),
    (100, (1.0, 3.0)),
    (math.inf, (1.0,)),
)
"""Up to which ratio of the largest to the smallest cost a decade has which numbers below it; at
least two are seen, else matplotlib takes even steps, which cover each other."""
BEATEN, AHEAD = "#888", "#3949ab"


def pareto(found: Found, summary: Summary, cost: Cost, what: str, axes: Axes) -> None:
    """Grey is what another one beats in both. Names stand at the side, in the order of scores, so
    that none covers another."""
    rows = sorted(summary.comparable, key=lambda s: s.overall)
    colors = [
        BEATEN if any(_beats(other, own, cost, found) for other in rows) else AHEAD for own in rows
    ]
    for place, (own, color) in enumerate(zip(rows, colors, strict=True)):
        axes.plot([cost(own)], [own.overall], "o", color=color, markersize=4.5)
        axes.annotate(
            cut(own.method, 20),
            (cost(own), own.overall),
            xytext=(1.06, (place + 0.5) / len(rows)),
            textcoords="axes fraction",
            va="center",
            fontsize=7,
            color=color,
            arrowprops={"arrowstyle": "-", "color": "#ccc", "linewidth": 0.6, "shrinkB": 3},
        )
    _scale(axes, [cost(own) for own in rows])
    axes.margins(x=0.1, y=0.1)
    axes.set_xlabel(what)
    axes.set_ylabel(found.axis)


def _scale(axes: Axes, costs: list[float]) -> None:
    """By ratios, with numbers that one can read."""
    if min(costs) <= 0 or max(costs) < 3 * min(costs):
        axes.xaxis.set_major_locator(MaxNLocator(4))
        return
    axes.set_xscale("log")
    steps = next(own for times, own in STEPS if max(costs) < times * min(costs))
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """`300`, `3k`, `1M`."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _beats(other: Standing, standing: Standing, cost: Cost, found: Found) -> bool:
    """Cheaper, and better by more than seeds differ, as far as that is known."""
    sign = 1 if found.measure.better == "higher" else -1
    apart = [m.deviation for m in (*other.means.values(), *standing.means.values())]
    known = [deviation for deviation in apart if deviation is not None]
    ahead = sign * (other.overall - standing.overall)
    sure = len(known) == len(apart) and ahead > max(known, default=0.0)
    return sure and cost(other) < cost(standing)
