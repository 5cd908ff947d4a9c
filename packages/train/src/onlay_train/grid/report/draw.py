"""The drawings of a report, as SVG that fits a telephone: every seed is a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from onlay_train.grid.report.rows import Found, mean
from onlay_train.grid.report.statistics import mean_of
from onlay_train.grid.report.summary import Standing, Summary

WIDTH = 3.6
"""Inches: at 96 points each a little less than a telephone is wide, so that text keeps its size."""
COSTS: dict[str, Callable[[Standing], float]] = {
    "trained parameters": lambda s: s.trained,
    "milliseconds a step": lambda s: 1000 * s.step_seconds,
    "peak memory, MiB": lambda s: s.peak_bytes / 2**20,
    "bundle, KiB": lambda s: s.bundle_bytes / 2**10,
}
_STYLE = {
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "onlay",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def drawings(found: Found, summary: Summary) -> Iterator[tuple[str, str]]:
    """Titles and SVG."""
    if not summary.standings:
        return
    for data in found.datasets:
        yield data, _drawn(partial(_points, found, summary, data), 0.7 + 0.24 * len(found.methods))
    if any(row.size is not None for row in found.rows):
        yield "By how much there is to learn from", _drawn(partial(_curves, found), 2.8)
    for what, cost in COSTS.items():
        title = f"{found.metric} against {what}"
        yield title, _drawn(partial(_pareto, found, summary, cost, what), 2.6)


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
    axes.set_yticks(range(len(methods)), [_cut(method) for method in methods])
    axes.set_xlabel(_named(found))
    axes.grid(axis="x", color="#eee")
    axes.set_axisbelow(True)


def _curves(found: Found, axes: Axes) -> None:
    """Mean over seeds by the size, and each seed as a faint point."""
    for method in found.methods:
        rows = [row for row in found.rows if row.method == method and row.size is not None]
        sizes = sorted({row.size for row in rows if row.size is not None})
        means = [mean([row.score for row in rows if row.size == size]) for size in sizes]
        [line] = axes.plot(sizes, means, marker="o", markersize=3, label=_cut(method))
        xs = [row.size or 0.0 for row in rows]
        axes.plot(xs, [row.score for row in rows], ".", color=line.get_color(), alpha=0.35)
    axes.set_xscale("log")
    axes.set_ylabel(_named(found))
    axes.legend(frameon=False, fontsize=7)


def _pareto(
    found: Found, summary: Summary, cost: Callable[[Standing], float], what: str, axes: Axes
) -> None:
    """Grey is what another one beats in both."""
    for standing in summary.standings:
        beaten = any(_beats(other, standing, cost, found) for other in summary.standings)
        color = "#aaa" if beaten else "#3949ab"
        axes.plot([cost(standing)], [standing.overall], "o", color=color, markersize=5)
        axes.annotate(
            _cut(standing.method, 18),
            (cost(standing), standing.overall),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=7,
            color=color,
        )
    if all(cost(standing) > 0 for standing in summary.standings):
        axes.set_xscale("log")
    axes.margins(x=0.25, y=0.15)
    axes.set_xlabel(what)
    axes.set_ylabel(_named(found))


def _beats(
    other: Standing, standing: Standing, cost: Callable[[Standing], float], found: Found
) -> bool:
    """Cheaper, and better by more than seeds differ."""
    sign = 1 if found.measure.better == "higher" else -1
    means = [*other.means.values(), *standing.means.values()]
    apart = max((mean.deviation or 0.0 for mean in means), default=0.0)
    ahead = sign * (other.overall - standing.overall)
    return cost(other) < cost(standing) and ahead > apart


def _named(found: Found) -> str:
    return f"{found.metric}, {found.measure.unit}" if found.measure.unit else found.metric


def _cut(text: str, length: int = 24) -> str:
    """The beginning and the end, where variants of one method differ."""
    half = length // 2
    return text if len(text) <= length else f"{text[: half - 1]}…{text[-half:]}"


def _drawn(draw: Callable[[Axes], None], height: float) -> str:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.subplots())
        text = StringIO()
        figure.savefig(
            text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
        )
    return text.getvalue()[text.getvalue().index("<svg") :]
