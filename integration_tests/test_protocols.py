"""One command makes a benchmark's table: miniature data in the official layouts, one epoch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SHORT = ("train.epochs=1", "train.warmup_epochs=0", "train.batch_size=4", "train.trackers=[]")


def table(onlay, name: str, backbone: str, *words: str) -> tuple[str, str, dict]:
    """What the command says, the table that it writes, and the report for programs."""
    given = [each for word in (*SHORT, *words) for each in ("--set", word)]
    chosen = ("--method", "linear", "--seeds", "1", "--backbone", backbone)
    result = onlay("compare", name, *chosen, *given)
    assert result.exit_code == 0, result.output
    report = Path("compare") / name / "report"
    found = json.loads((report / "report.json").read_text())
    return result.output, (report / "table.md").read_text(), found


def test_vtab(onlay, tmp_path, monkeypatch):
    samples = pytest.importorskip("onlay_image.data.samples")
    pytest.importorskip("onlay_train")
    for name in ("cifar", "eurosat"):
        (folder := tmp_path / "data" / "vtab-1k" / name).mkdir(parents=True)
        samples.vtab(folder)
    monkeypatch.chdir(tmp_path)
    said, text, found = table(onlay, "vtab-1k-half", "onlay_vit_64")
    assert "`svhn` is not there: no folder `svhn` in `data/vtab-1k` or `data` holds" in said
    assert "| cifar | eurosat | mean of 2 of 19 | mean of 2 of 3 groups |" in text
    assert "Pixels are normalised by 0.5 and 0.5, as in RLRR" in text
    assert {cell["data"] for cell in found["cells"]} == {"cifar", "eurosat"}


def test_scans(onlay, tmp_path, monkeypatch):
    samples = pytest.importorskip("onlay_pointcloud.data.samples")
    pytest.importorskip("onlay_train")
    (folder := tmp_path / "data" / "ScanObjectNN").mkdir(parents=True)
    samples.scanobjectnn(folder)
    monkeypatch.chdir(tmp_path)
    small = ("backbone.npoints=64", "backbone.groups=8", "backbone.group_size=8")
    said, text, found = table(onlay, "scanobjectnn-rotate", "onlay_points", *small)
    assert "`obj_bg` is not there: no `main_split/training_objectdataset.h5` with" in said
    assert "Clouds are turned in training, as in ACT" in text
    assert [cell["data"] for cell in found["cells"]] == ["obj_only"]
