"""What a labelled cloud says of its points stands beside what the model says, on the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import onlay
from onlay.pages.observing import observe
from onlay_pointcloud.data.preprocess import reader
from onlay_pointcloud.network.point_mae import PointMae
from onlay_pointcloud.viewer import view

FACTS = {
    "modality": "points", "npoints": 40, "min_points": 40, "normalize": "unit_sphere",
    "class_values": {"ground": [2, 3], "roof": [6]}, "void_values": [-1, 1],
}  # fmt: skip


def shown(path: Path, tmp_path: Path) -> dict[str, Any]:
    """What a page has of each point, by name."""
    network = PointMae(groups=8, group_size=4, width=24, depth=3, heads=2, embed=24)
    task = {"name": "point_segmentation"}
    torch.manual_seed(0)
    model = onlay.adapt(
        network, "linear", task=task, labels=["ground", "roof"], preprocessing=FACTS
    )
    seen = observe(model, path, reader(FACTS)(path)[None])
    view([seen], tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    (only,) = json.loads(found[1])["inputs"]
    return {one["name"]: one for one in only["signals"]} | {"said": seen.prediction}


def of(record: dict[str, Any]) -> list[str]:
    return [record["labels"][value] for (value,) in record["blocks"][0]["values"]]


@pytest.mark.parametrize("label", [2, 9])
def test_truth_and_error(tmp_path: Path, label: int) -> None:
    """Of 50 points 40 are shown; where a file has other numbers nothing is called true."""
    points = np.random.default_rng(0).random((50, 3))
    classes = np.select([points[:, 0] < 0.2, points[:, 2] < 0.5], [1, label], 6)
    np.save(tmp_path / "a.npy", np.column_stack([points, classes]))
    page = shown(tmp_path / "a.npy", tmp_path)
    assert "predicted class" in page
    if label == 9:
        assert not {"true class", "error"} & page.keys()
        return
    places = reader(FACTS)(tmp_path / "a.npy").numpy()
    centred = points - points.mean(0)
    centred /= np.linalg.norm(centred, axis=1).max()
    index = np.abs(places[:, None] - centred).sum(-1).argmin(1)
    names = {1: "no class", 2: "ground", 6: "roof"}
    true = [names[int(classes[n])] for n in index]
    assert of(page["true class"]) == true
    pairs = zip(page["said"].parts, true, strict=True)
    words = [t if t == "no class" else "right" if p == t else "wrong" for p, t in pairs]
    assert of(page["error"]) == words
    assert {"right", "wrong", "no class"} >= {*words} > {"no class"}
