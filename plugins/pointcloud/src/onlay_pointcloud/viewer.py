"""Clouds in 3D as one self-contained HTML page, with a choice of what its colours mean.

Shapes: N points, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs
from torch import Tensor

from onlay.features import centres_of
from onlay.inspecting import Observation
from onlay.pages import Record, write
from onlay_pointcloud.truth import NOTHING, true_classes

ERRORS = ("right", "wrong", NOTHING)


def view(observations: Sequence[Observation], out: Path) -> None:
    """Write the page: coloured by each signal of each block, by what is predicted, what is true and
    where these differ, and by group."""
    true = [true_classes(seen) for seen in observations]
    labels = sorted({part for seen in observations for part in _parts(seen)}.union(*true))
    script = files("onlay_pointcloud").joinpath("viewer.js").read_text("utf-8")
    write(
        observations,
        out,
        data=[_points(seen) for seen in observations],
        scripts=[get_plotlyjs(), script],
        more=[list(_more(*pair, labels)) for pair in zip(observations, true, strict=True)],
    )


def _points(observation: Observation) -> Record:
    cloud_N3 = observation.inputs[0, :, :3].float().cpu()
    nearest_N = _nearest(cloud_N3, _centres(observation)[0].float().cpu())
    rows = [[float(f"{x:.4g}") for x in point] for point in cloud_N3.tolist()]
    return {"points": rows, "nearest": nearest_N.tolist()}


def _centres(observation: Observation) -> Tensor:
    centres_BG3 = centres_of(observation.features.layout)
    assert centres_BG3 is not None, "clouds are encoded in groups"
    return centres_BG3


def _nearest(cloud_N3: Tensor, centres_G3: Tensor) -> Tensor:
    """Index of each point's nearest centre, (N,)."""
    return (cloud_N3.unsqueeze(1) - centres_G3).square().sum(-1).argmin(1)


def _parts(observation: Observation) -> Sequence[str]:
    """Of a task that answers for each point, otherwise empty."""
    return getattr(observation.prediction, "parts", None) or ()


def _more(observation: Observation, true: Sequence[str], labels: Sequence[str]) -> Iterator[Record]:
    if parts := _parts(observation):
        noun = getattr(observation.prediction, "noun", "part")
        meaning = f"The {noun} that the head says each point belongs to."
        yield _of_points(f"predicted {noun}", parts, labels, meaning)
    if parts and true:
        yield _of_points("true class", true, labels, "The class that the file says each point has.")
        pairs = zip(parts, true, strict=True)
        found = [t if t == NOTHING else ("right" if p == t else "wrong") for p, t in pairs]
        yield _of_points("error", found, ERRORS, "Where the head is right, and where it is not.")
    yield _groups(observation.features.layout.count)


def _of_points(name: str, each: Sequence[str], labels: Sequence[str], meaning: str) -> Record:
    record = _record(name, [labels.index(one) for one in each], len(labels))
    return record | {"labels": labels, "points": True, "meaning": meaning}


def _groups(count: int) -> Record:
    """Too many for a legend, and their numbers say nothing."""
    meaning = "The group of neighbouring points, one token of the backbone, that each belongs to."
    return _record("group", list(range(count)), count) | {"legend": False, "meaning": meaning}


def _record(name: str, values: Sequence[int], categories: int) -> Record:
    """As `onlay.pages.signals` gives them, of one value for each group, or with `points` for each
    point."""
    block = {
        "title": name,
        "values": [[value] for value in values],
        "summary": list(values),
        "agreement": [1.0] * len(values),
        "usage": [values.count(index) / len(values) for index in range(categories)],
    }
    return {"name": name, "categories": categories, "blocks": [block]}
