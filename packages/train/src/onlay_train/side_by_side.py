"""What several finished runs of one comparison say of the same inputs, as one picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from onlay.batches import stacked
from onlay.config import load as load_config
from onlay.host import PluginHost
from onlay.model.answers import Answers
from onlay.model.assemble import move_targets
from onlay.model.loading import load
from onlay.model.splits import read_splits
from onlay_train.plot import save
from onlay_train.rasters import coloured, rasters, thumbnail

ROWS = 4
"""Inputs, the first ones of the test part."""

Column = tuple[str, list[np.ndarray]]
"""A title, and for each input a picture (H, W, 3)."""


def draw_side_by_side(runs: Mapping[str, Path], host: PluginHost, path: Path) -> None:
    """The inputs, the truth, and the first map of every run's answer in columns of their own."""
    columns = columns_of(runs, host)
    figure = Figure(figsize=(1.6 * len(columns), 1.6 * ROWS + 0.4), layout="constrained")
    grid = figure.subplots(ROWS, len(columns), squeeze=False)
    for place, (title, pictures) in enumerate(columns):
        grid[0, place].set_title(title)
        for row in range(ROWS):
            grid[row, place].set_axis_off()
            if row < len(pictures):
                grid[row, place].imshow(pictures[row])
    save(figure, path)


def columns_of(runs: Mapping[str, Path], host: PluginHost) -> list[Column]:
    """Of the first inputs of the test part: pictures, truths, then what each run says."""
    numbered = enumerate(runs.items())
    return [column for number, run in numbered for column in _of(number, *run, host)]


def _of(number: int, label: str, run: Path, host: PluginHost) -> Iterator[Column]:
    """The column of a run; before those of the first one what all have in common."""
    model = load(run / "bundle", host=host).eval()
    config = load_config(run / "config.yaml", (), host=host)
    part: Any = read_splits(config, model.built.input_spec, host).test
    move_targets(model.head, part)
    asked, items = Answers.of(model), [part[index] for index in range(min(ROWS, len(part)))]
    inputs, targets = getattr(model.head, "collate", stacked)(items)
    if not number:
        modality = host.modalities.get(model.built.modality)
        shown = [thumbnail(given, model.preprocessing, modality) for given, _ in items]
        yield "picture", [picture for own in shown for picture in own]
        yield "truth", _first_maps(asked, model.head.truths(targets))
    with torch.inference_mode():
        answers = asked.given(model.head, model(inputs), len(items))
    yield label, _first_maps(asked, answers)


def _first_maps(asked: Answers, answers: Any) -> list[np.ndarray]:
    return [coloured(rasters(asked.drawn(answer))[0]) for answer in answers]
