"""The drawings of a report, as SVG that fits a telephone: every seed is a point."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from onlay_train.grid.report.costs import COSTS, pareto
from onlay_train.grid.report.paper import cut, drawn, room_for
from onlay_train.grid.report.rows import Found
from onlay_train.grid.report.statistics import mean_of
from onlay_train.grid.report.summary import Summary

MARKERS = "os^Dv"
"""Ten colours each; more methods in a drawing than that are told apart by these."""


def drawings(found: Found, summary: Summary) -> Iterator[tuple[str, str]]:
    """Titles and SVG."""
    if not summary.standings:
        return
    methods = len(found.methods)
    for source in found.sources if len(found.sizes) > 1 else ():
        height = 2.5 + room_for(-(-methods // 2))
        yield f"{source}, by {found.size}", drawn(partial(_curves, found, summary, source), height)
    for data in found.datasets:
        yield data, drawn(partial(_points, found, summary, data), 0.6 + room_for(methods))
    for what, cost in COSTS.items():
        title = f"{found.metric} against {what}"
        height = max(2.4, 0.7 + room_for(methods))
        yield title, drawn(partial(pareto, found, summary, cost, what), height)


def _points(found: Found, summary: Summary, data: str, axes: Axes) -> None:
    """A line for each method: seeds as points, the mean and its 95 % interval."""
    methods = [s.method for s in summary.standings if data in s.means][::-1]
    for place, method in enumerate(methods):
        scores = list(found.scores(method, data).values())
        own = mean_of(scores)
        if own.low is not None and own.high is not None:
            axes.plot([own.low, own.high], [place, place], color="#bbb", linewidth=4, zorder=1)
        axes.plot(scores, [place] * len(scores), "o", color="#3949ab", markersize=3.5, alpha=0.7)
        axes.plot([own.mean], [place], "|", color="#111", markersize=11, markeredgewidth=1.6)
    every = [row.score for row in found.rows if row.data == data]
    room = 0.15 * (max(every) - min(every)) or 1.0
    axes.set_xlim(min(every) - room, max(every) + room)  # an interval of two seeds is cut off
    axes.set_ylim(-0.7, len(methods) - 0.3)
    axes.set_yticks(range(len(methods)), [cut(method) for method in methods])
    axes.set_xlabel(found.axis)
    axes.grid(axis="x", color="#eee")
    axes.set_axisbelow(True)


def _curves(found: Found, summary: Summary, source: str, axes: Axes) -> None:
    """Mean over seeds by the size with its deviation as a bar, and each seed as a faint point."""
    for place, method in enumerate(s.method for s in summary.standings):
        rows = [r for r in found.rows if (r.method, r.source) == (method, source)]
        sizes = sorted({row.size for row in rows if row.size is not None})
        means = [mean_of([row.score for row in rows if row.size == size]) for size in sizes]
        style = {"marker": MARKERS[place // 10 % 5], "markersize": 3, "linewidth": 1.1}
        bars = [own.deviation or 0.0 for own in means]
        line = axes.errorbar(sizes, [own.mean for own in means], bars, label=cut(method), **style)
        points = [(row.size or 0.0, row.score) for row in rows]
        color = line[0].get_color()
        axes.plot(*zip(*points, strict=True), ".", color=color, alpha=0.3) if points else None
    axes.set_xscale("log")
    axes.set_xticks(found.sizes, [f"{size:g}" for size in found.sizes])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(found.size)
    axes.set_ylabel(found.axis)
    axes.grid(axis="y", color="#eee")
    below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.2), "ncols": 2}
    axes.legend(frameon=False, fontsize=7, handlelength=1.4, columnspacing=1.2, **below)
