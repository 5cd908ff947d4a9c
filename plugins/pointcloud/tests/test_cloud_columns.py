"""Columns of clouds, and points that were not measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cloud_labels import LABELS

from onlay.data import Splits
from onlay_pointcloud.data import cloud_folder, preprocess, shapes
from onlay_pointcloud.data.config import CloudFolderConfig, ShapesConfig

# --- columns, and points that were not measured ---------------------------------------------------


@pytest.fixture
def tables(tmp_path: Path, cloud: Callable) -> Path:
    """Twelve tables of each class: u, v, w, and an intensity that is 100 times u."""
    for label in LABELS:
        (tmp_path / label).mkdir()
        for number in range(12):
            points = cloud(40, number + 100 * LABELS.index(label))
            rows = np.hstack([points, 100 * points[:, :1]])
            path = tmp_path / label / f"{number}.csv"
            np.savetxt(path, rows, "%.6f", ",", header="u,v,w,intensity", comments="")
    return tmp_path


def test_chosen_and_further_columns(tables: Path, spec: dict[str, Any], fails: Callable) -> None:
    """What the bundle keeps makes `predict` read as in training; further columns stay as they
    are."""

    def build(**own: Any) -> Splits:
        config = {"path": tables, "preprocess": {"augment": "scale_translate"} | own}
        return cloud_folder.build(CloudFolderConfig.model_validate(config), spec, 0)

    fails(build, "none of its columns are called x, y and z (have: `u`, `v`, `w`, `intensity`)")
    plain = build(columns=["u", "v", "w"])
    built = build(columns=["u", "v", "w"], extra=["intensity"])
    assert built.test[0][0].shape == built.train[0][0].shape == (32, 4)
    assert torch.equal(built.test[0][0][:, :3], plain.test[0][0])
    path = built.test.clouds.sources[0]
    shown = built.test[0][0]
    assert torch.equal(preprocess.reader(json.loads(json.dumps(built.preprocessing)))(path), shown)
    raw = np.loadtxt(path, delimiter=",", skiprows=1)
    assert set(shown[:, 3].tolist()) <= set(raw[:, 3].astype(np.float32).tolist())
    seen = built.train[0][0]
    slope = np.polyfit(seen[:, 0].numpy(), seen[:, 3].numpy(), 1)
    np.testing.assert_allclose(np.polyval(slope, seen[:, 0]), seen[:, 3], atol=1e-2)
    assert built.test.votes(0)[0][0].shape == (32, 4)


def test_what_was_not_measured_is_counted_and_said_once(
    tables: Path, spec: dict[str, Any], fails: Callable
) -> None:
    for number in (3, 5):
        with (tables / "lamp" / f"{number}.csv").open("a") as file:
            file.write("nan,nan,nan,0\n0,0,0,0\n0,0,0,0\n")
    own = {"columns": ["u", "v", "w"]}
    config = {"path": tables, "preprocess": own}
    built = cloud_folder.build(CloudFolderConfig.model_validate(config), spec, 0)
    (note,) = [text for text in built.facts["notes"] if "measured" in text]
    assert "2 NaN or infinite, 4 at (0, 0, 0), of `" in note
    assert "` and 1 more" in note
    assert built.facts["left_out"] == {"NaN or infinite": 2, "at (0, 0, 0)": 4}
    read = preprocess.Reader(built.preprocessing)
    clouds_read = [read(tables / "lamp" / f"{number}.csv") for number in (3, 5)]
    files = note[: note.index("`")], note[note.index("` and") :]
    assert read.notes == (f"{files[0]}`{tables / 'lamp' / '3.csv'}{files[1]}",)
    assert all(cloud.norm(dim=1).min() > 0 for cloud in clouds_read)
    own["unmeasured"] = "keep"
    fails(
        lambda: cloud_folder.build(CloudFolderConfig.model_validate(config), spec, 0),
        "has a coordinate that is NaN or infinite (point 40)",
    )


def test_columns_are_for_files(spec: dict[str, Any], fails: Callable) -> None:
    config = ShapesConfig.model_validate({"preprocess": {"extra": ["nx"]}})
    fails(lambda: shapes.build(config, spec, 0), "`preprocess.extra` is for clouds that are files")
