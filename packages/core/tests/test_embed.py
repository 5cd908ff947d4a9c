"""`onlay embed`: what is in its tables is what the model gives."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from onlay import PluginHost, adapt
from onlay.cli import main

pytest.importorskip("onlay_image", reason="needs onlay-image")
from PIL import Image


@pytest.fixture(scope="module")
def host():
    return PluginHost.discover(only="image")


@pytest.fixture(scope="module")
def model(host):
    facts = {"modality": "image", "img_size": [64, 64], "resize": "squash", "crop_pct": 1.0}
    facts |= {"interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3, "in_chans": 3}
    return adapt("onlay_vit_64", "linear", labels=["a", "b"], preprocessing=facts, host=host)


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    return model.save_pretrained(tmp_path_factory.mktemp("run") / "bundle")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(256, size=(64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def run(host, bundle, pictures):
    def go(out, *words):
        given = ["embed", bundle, pictures, "--out", out, *words]
        return CliRunner().invoke(main, [str(word) for word in given], obj=host)

    return go


def expected(model, folder):
    files = sorted(folder.glob("*.png"))
    inputs = np.stack([np.asarray(Image.open(f)) for f in files]).astype(np.float32) / 255
    with torch.inference_mode():
        found = model.eval().features(torch.from_numpy((inputs - 0.5) / 0.5).permute(0, 3, 1, 2))
    names = [str(f) for f in files]
    return names, {"cls": found.cls.numpy(), "mean": found.patches.mean(1).numpy()}


def test_every_kind_of_table_holds_the_same(run, model, pictures, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs onlay[parquet]")
    names, vectors = expected(model, pictures)
    for suffix in ("npz", "parquet", "csv"):
        result = run(tmp_path / f"f.{suffix}", "--batch-size", 2)
        assert result.exit_code == 0, result.output
        width = vectors["cls"].shape[1]
        assert f"3 rows in {tmp_path}/f.{suffix}: path, cls ({width}), mean" in result.output
    with np.load(tmp_path / "f.npz") as table:
        assert table["path"].tolist() == names
        for name, rows in vectors.items():
            np.testing.assert_allclose(table[name], rows, atol=1e-5)
        kept = {name: table[name] for name in vectors}
    rows = parquet.read_table(tmp_path / "f.parquet")
    assert rows.column_names == ["path", "cls", "mean"]
    assert str(rows.schema.field("cls").type).startswith("fixed_size_list<")
    assert rows["path"].to_pylist() == names
    np.testing.assert_array_equal(np.array(rows["mean"].to_pylist(), np.float32), kept["mean"])
    with (tmp_path / "f.csv").open(newline="") as file:
        head, *lines = csv.reader(file)
    assert head[:2] == ["path", "cls_0"]
    numbers = np.array([line[1:] for line in lines], np.float32)
    np.testing.assert_allclose(numbers, np.hstack([kept["cls"], kept["mean"]]), rtol=1e-6)


def test_pools_by_name_and_unreadable_files(run, pictures, tmp_path):
    (pictures / "torn.png").write_bytes(b"\x89PNG")
    assert run(tmp_path / "f.npz").exit_code == 2
    assert not (tmp_path / "f.npz").exists()
    result = run(tmp_path / "f.npz", "--pool", "max", "--skip-unreadable")
    assert result.exit_code == 0, result.output
    assert "torn.png" in result.stderr
    with np.load(tmp_path / "f.npz") as table:
        assert sorted(table) == ["max", "path"]
        assert len(table["max"]) == 3


@pytest.mark.parametrize(
    ("out", "words", "sentence"),
    [
        ("f.pkl", (), "vectors are written as `.parquet`, `.npz`, `.csv`"),
        ("f.npz", ("--pool", "clss"), "there is no pool `clss` (have: `pretrained`, `cls`"),
        ("f.npz", ("--pool", "prompts"), "pool `prompts` needs what this backbone"),
        ("absent/f.npz", (), "cannot be written: it is not there"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(run, tmp_path, out, words, sentence):
    result = run(tmp_path / out, *words)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_parquet_without_pyarrow_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run(Path(tmp_path / "f.parquet"))
    assert result.exit_code == 2
    assert "`.parquet` needs `pyarrow`" in result.stderr
    assert "onlay[parquet]" in result.stderr
