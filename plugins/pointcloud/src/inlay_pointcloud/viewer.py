"""A cloud in 3D as one self-contained HTML page, with a choice of what its colours mean.

Shapes: N points, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch
from plotly.colors import qualitative
from torch import Tensor

from inlay.features import Points
from inlay.inspecting import Observation, Signal

PALETTE = qualitative.Dark24 + qualitative.Light24
"""Neighbouring groups get colours that are told apart; they repeat after 48."""
SCALE = "Viridis"


@dataclass(frozen=True)
class Colouring:
    """One entry of the page's menu: a colour for each point, or a number with a scale."""

    name: str
    values: Sequence[str] | Sequence[float]
    hover: Sequence[str]
    range: tuple[float, float] | None = None
    """Of numbers: what the ends of the scale mean."""


def view(observation: Observation, out: Path) -> None:
    """Write the page: coloured by group, by predicted part, and by each signal of each block."""
    cloud_N3 = observation.inputs[0, :, :3].float().cpu()
    layout = observation.features.layout
    assert isinstance(layout, Points)
    nearest_N = _nearest(cloud_N3, layout.centres[0].float().cpu())
    colourings = [_by_group(nearest_N), *_by_part(observation), *_by_signal(observation, nearest_N)]
    figure = go.Figure(_points(cloud_N3, colourings[0]), _layout(observation, colourings))
    out.write_text(
        figure.to_html(include_plotlyjs=True, default_height="97vh", config={"displaylogo": False}),
        encoding="utf-8",
    )


def _nearest(cloud_N3: Tensor, centres_G3: Tensor) -> Tensor:
    """Index of each point's nearest centre, (N,)."""
    return (cloud_N3.unsqueeze(1) - centres_G3).square().sum(-1).argmin(1)


def _by_group(nearest_N: Tensor) -> Colouring:
    groups = nearest_N.tolist()
    colours = [PALETTE[group % len(PALETTE)] for group in groups]
    return Colouring("group", colours, [f"group {group}" for group in groups])


def _by_part(observation: Observation) -> Iterator[Colouring]:
    """For a task that answers for each point."""
    parts = getattr(observation.prediction, "parts", None)
    if parts is not None:
        order = {part: index for index, part in enumerate(sorted(set(parts)))}
        colours = [PALETTE[order[part] % len(PALETTE)] for part in parts]
        yield Colouring("predicted part", colours, [escape(part) for part in parts])


def _by_signal(observation: Observation, nearest_N: Tensor) -> Iterator[Colouring]:
    """Each block's, and first their mean; the tokens of the groups are the last ones."""
    groups = observation.features.patches.shape[1]
    kinds: dict[str, list[Signal]] = {}
    for signal in observation.signals:
        kinds.setdefault(signal.name, []).append(signal)
    for name, signals in kinds.items():
        values_G = [signal.values_T[-groups:] for signal in signals]
        mean_G = torch.stack(values_G).mean(0)
        yield _numbers(f"{name}, mean of the blocks", mean_G[nearest_N])
        for signal, each_G in zip(signals, values_G, strict=True):
            yield _numbers(f"{name}, block {signal.block}", each_G[nearest_N])


def _numbers(name: str, values_N: Tensor) -> Colouring:
    values = [round(value, 4) for value in values_N.tolist()]
    ends = (min(0.0, *values), max(*values, 1e-6))
    return Colouring(name, values, [f"{value:.3f}" for value in values], ends)


def _points(cloud_N3: Tensor, first: Colouring) -> go.Scatter3d:
    x, y, z = cloud_N3.T.tolist()
    return go.Scatter3d(
        x=x, y=y, z=z, mode="markers", text=first.hover, hoverinfo="text", showlegend=False,
        marker={"size": 3, "color": first.values, "colorscale": SCALE, "showscale": False},
    )  # fmt: skip


def _layout(observation: Observation, colourings: Sequence[Colouring]) -> go.Layout:
    first, share = next(iter(observation.prediction.ranked.items()))
    title = f"{observation.source.name}: {first}, {100 * share:.0f} %"
    hidden = {"visible": False}
    return go.Layout(
        title={"text": escape(title), "x": 0.02, "y": 0.98, "yanchor": "top"},
        scene={
            "aspectmode": "data", "xaxis": hidden, "yaxis": hidden, "zaxis": hidden,
            "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 1.0}},
        },
        margin={"l": 0, "r": 0, "t": 100, "b": 0},
        template="plotly_white",
        updatemenus=[
            {
                "buttons": [_button(colouring) for colouring in colourings],
                "x": 0.02, "xanchor": "left", "y": 1.02, "yanchor": "bottom",
            }
        ],
    )  # fmt: skip


def _button(colouring: Colouring) -> dict[str, Any]:
    low, high = colouring.range or (0.0, 1.0)
    change = {
        "marker.color": [list(colouring.values)],
        "marker.showscale": [colouring.range is not None],
        "marker.cmin": [low],
        "marker.cmax": [high],
        "text": [list(colouring.hover)],
    }
    return {"label": f"colour: {colouring.name}", "method": "restyle", "args": [change]}
