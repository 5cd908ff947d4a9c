"""Curves as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from onlay.machine.disk import replacing
from onlay.reports import LOSS, PERCENT, Measure

_SPLITS = ("validation", "test")

History = Sequence[Mapping[str, Any]]


def plot_run(
    history: History, path: Path, metric: str, *, title: str, measure: Measure = PERCENT
) -> None:
    """Loss and main metric over the epochs of one run."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, metrics = figure.subplots(1, 2)
    epochs = [record["epoch"] for record in history]
    losses.plot(epochs, [record["train_loss"] for record in history], label="training")
    for split in _SPLITS:
        _line(losses, history, f"{split}_loss", split)
        _line(metrics, history, f"{split}_{metric}", split)
    _finish(losses, "loss")
    _finish(metrics, metric, measure)
    figure.suptitle(_plain(title))
    save(figure, path)


def plot_comparison(
    runs: Mapping[str, History],
    scores: Mapping[str, float],
    path: Path,
    metric: str,
    *,
    title: str,
    measure: Measure = PERCENT,
) -> None:
    """The main metric of several runs over their epochs, and their final scores as bars."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    curves, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    for name, history in runs.items():
        split = next((s for s in _SPLITS if history and f"{s}_{metric}" in history[0]), None)
        if split:
            _line(curves, history, f"{split}_{metric}", f"{name} ({split})")
    _finish(curves, metric, measure)
    names, colours = [_plain(name) for name in scores], [f"C{i}" for i in range(len(scores))]
    drawn = bars.barh(names, list(scores.values()), color=colours)
    bars.bar_label(drawn, [measure.text(value, places=1) for value in scores.values()], padding=3)
    bars.set_title(_plain(f"{metric} at the end"))
    bars.margins(x=0.3)  # for what is written beside the bars
    if measure.unit == "%":
        bars.set_xlim(0, 1.18)
        bars.xaxis.set_major_formatter(PercentFormatter(1.0))
    bars.invert_yaxis()
    bars.spines[["top", "right"]].set_visible(False)
    figure.suptitle(_plain(title))
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Drawn in memory first: pillow leaves half a file where the disk is full."""
    picture = BytesIO()
    figure.savefig(picture, dpi=150)
    with replacing(path) as file:
        file.write(picture.getvalue())


def _plain(text: str) -> str:
    """A name as it is: a dollar would begin a formula."""
    return text.replace("$", r"\$")


def _line(axes: Axes, history: History, key: str, label: str) -> None:
    points = [(record["epoch"], record[key]) for record in history if key in record]
    if points:
        axes.plot(*zip(*points, strict=True), label=_plain(label))


def _finish(axes: Axes, label: str, measure: Measure = LOSS) -> None:
    percent = measure.unit == "%"
    unit = "" if percent or not measure.unit else f" in {measure.unit}"
    axes.set(xlabel="epoch", ylabel=_plain(label + unit))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    if axes.lines:
        axes.legend(frameon=False)
