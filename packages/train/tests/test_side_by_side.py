"""Maps of several runs side by side: what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from onlay.task import Bars, Raster
from onlay_train.demo.grids import DEMOS
from onlay_train.rasters import coloured, rasters, strip


def test_labels_have_their_colours_and_numbers_go_from_violet_to_yellow() -> None:
    own = Raster("a", torch.tensor([[0, 1]]), ("x", "y"), colours=("#ff0000", "#00ff00"))
    assert coloured(own).tolist() == [[[255, 0, 0], [0, 255, 0]]]
    assert coloured(Raster("a", torch.tensor([[1]]), ("x", "y"))).tolist() == [[[230, 159, 0]]]
    depths = coloured(Raster("d", torch.tensor([[1.0, 3.0, float("nan")]])))
    assert depths[0, 0].tolist() == [68, 1, 84]
    assert depths[0, 1].tolist() == [253, 231, 37]
    fixed = coloured(Raster("d", torch.tensor([[1.0, 3.0]]), limits=(3.0, 9.0)))
    assert fixed[0, 1].tolist() == [68, 1, 84]
    assert rasters([Bars({"x": 1.0}), own]) == [own]


def test_panels_of_a_strip_have_one_height_and_their_own_shape() -> None:
    red = np.zeros((2, 4, 3), np.uint8)
    red[:, 2:, 0] = 255
    large = np.full((400, 200, 3), 7, np.uint8)
    found = strip([red, large])
    assert found.shape == (256, 512 + 4 + 128, 3)
    assert found[:, 255].max() == 0
    assert found[:, 256, 0].min() == 255
    assert (found[:, 516:] == 7).all()
    assert strip([red]).shape == (128, 256, 3)


def test_answers_of_several_runs_stand_beside_picture_and_truth(tmp_path: Path) -> None:
    pytest.importorskip("onlay_dense", reason="the demo's data and task are there")
    from onlay.config import resolve
    from onlay.config.overrides import merged
    from onlay.host import PluginHost
    from onlay_train.run import train
    from onlay_train.side_by_side import columns_of

    demo, host = DEMOS["dense"], PluginHost.discover()
    for variant in demo.installed(host).values():
        resolve(merged(demo.base, variant), (), host=host)
    small = {"data": {"train_size": 4, "val_size": 1, "test_size": 2}, "out": str(tmp_path / "run")}
    small["train"] = {"epochs": 1, "batch_size": 2, "trackers": []}
    base = merged(merged(demo.base, demo.variants["linear"]), small)
    train(resolve(base, (), host=host), host)
    found = columns_of({"linear": tmp_path / "run"}, host)
    assert [title for title, _ in found] == ["picture", "truth", "linear"]
    assert [[p.shape for p in pictures] for _, pictures in found] == [[(64, 64, 3)] * 2] * 3
