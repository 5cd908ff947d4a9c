"""A cloud in 3D as one self-contained HTML page, with a choice of what its colours mean.

Shapes: N points, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs
from torch import Tensor

from inlay.features import Points
from inlay.inspecting import Observation
from inlay.pages import Record, write


def view(observation: Observation, out: Path) -> None:
    """Write the page: coloured by each signal of each block, by predicted part and by group."""
    cloud_N3 = observation.inputs[0, :, :3].float().cpu()
    layout = observation.features.layout
    assert isinstance(layout, Points)
    nearest_N = _nearest(cloud_N3, layout.centres[0].float().cpu())
    rows = [[float(f"{x:.4g}") for x in point] for point in cloud_N3.tolist()]
    script = files("inlay_pointcloud").joinpath("viewer.js").read_text("utf-8")
    write(
        observation,
        out,
        data={"points": rows, "nearest": nearest_N.tolist()},
        scripts=[get_plotlyjs(), script],
        more=[*_parts(observation), _groups(layout.centres.shape[1])],
    )


def _nearest(cloud_N3: Tensor, centres_G3: Tensor) -> Tensor:
    """Index of each point's nearest centre, (N,)."""
    return (cloud_N3.unsqueeze(1) - centres_G3).square().sum(-1).argmin(1)


def _parts(observation: Observation) -> Iterator[Record]:
    """For a task that answers for each point."""
    parts = getattr(observation.prediction, "parts", None)
    if parts is not None:
        labels = sorted(set(parts))
        values = [labels.index(part) for part in parts]
        yield _record("predicted part", values, len(labels)) | {"labels": labels, "points": True}


def _groups(count: int) -> Record:
    """Too many for a legend, and their numbers say nothing."""
    return _record("group", list(range(count)), count) | {"legend": False}


def _record(name: str, values: Sequence[int], categories: int) -> Record:
    """As `inlay.pages.signals` gives them, of one value for each group, or with `points` for each
    point."""
    block = {
        "title": name,
        "values": [[value] for value in values],
        "summary": list(values),
        "agreement": [1.0] * len(values),
        "usage": [values.count(index) / len(values) for index in range(categories)],
    }
    return {"name": name, "categories": categories, "blocks": [block]}
