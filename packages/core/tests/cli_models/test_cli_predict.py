"""`onlay predict` on models that the tests make up."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from tiny_modality import (
    LABELS,
    image_of,
    refusal,
)


@pytest.fixture
def inputs(tmp_path):
    folder = tmp_path / "inputs"
    (folder / "more").mkdir(parents=True)
    for name, seed in (("b.seed", 1), ("a.SEED", 2), ("more/c.seed", 3), ("notes.txt", 4)):
        (folder / name).write_text(str(seed))
    return folder


def probabilities(model, seed):
    with torch.no_grad():
        return model.eval()(2 * image_of(seed)[None]).softmax(-1)[0].tolist()


# --- predict


def test_predict_json_holds_the_probabilities_of_the_model(onlay, bundle, inputs, model):
    rows = json.loads(onlay("predict", bundle.parent, inputs, "--json").stdout)
    names = [row["path"].removeprefix(f"{inputs}/") for row in rows]
    assert names == ["a.SEED", "b.seed", "more/c.seed"], "by name, and no other suffixes"
    for row, seed in zip(rows, (2, 1, 3), strict=True):
        expected = dict(zip(LABELS, probabilities(model, seed), strict=True))
        assert row["probabilities"] == pytest.approx(expected, abs=1e-6)
        assert row["class"] == max(expected, key=expected.get)
        assert row["probability"] == pytest.approx(max(expected.values()), abs=1e-6)


def test_predict_csv_with_the_likeliest_two(onlay, bundle, inputs, model):
    file = inputs / "notes.txt"  # named itself: taken whatever its suffix
    text = onlay("predict", bundle, file, "--csv", "--top", 2).stdout
    (row,) = csv.DictReader(io.StringIO(text))
    first, second = sorted(probabilities(model, 4), reverse=True)[:2]
    assert list(row) == ["path", "class", "probability", "class_2", "probability_2"]
    assert row["path"] == str(file)
    assert float(row["probability"]) == pytest.approx(first, abs=1e-5)
    assert float(row["probability_2"]) == pytest.approx(second, abs=1e-5)
    assert row["class"] == LABELS[probabilities(model, 4).index(first)]


def test_predict_prints_a_table(onlay, bundle, inputs, model, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    output = onlay("predict", bundle, inputs / "b.seed", "--top", 9).stdout
    for label, share in zip(LABELS, probabilities(model, 1), strict=True):
        assert label in output, "square brackets are text, not markup"
        assert f"{100 * share:.1f} %" in output


def test_batches_do_not_change_the_answers(onlay, bundle, inputs):
    one = json.loads(onlay("predict", bundle, inputs, "--json", "--batch-size", 1).stdout)
    two = json.loads(onlay("predict", bundle, inputs, "--json", "--batch-size", 2).stdout)
    assert [r["probability"] for r in one] == pytest.approx([r["probability"] for r in two])


def test_an_unreadable_file_is_named_and_nothing_is_printed(onlay, bundle, inputs):
    (inputs / "z.seed").write_text("not a seed")
    assert f"`{inputs / 'z.seed'}` holds no seed" in refusal(onlay("predict", bundle, inputs))


def test_unreadable_files_are_skipped_if_asked_for(onlay, bundle, inputs, tmp_path):
    (inputs / "0.seed").write_text("not a seed")
    (inputs / "more" / "z.seed").write_text("nor this")
    result = onlay("predict", bundle, inputs, "--json", "--skip-unreadable", "--batch-size", 2)
    assert result.exit_code == 0
    names = [row["path"].removeprefix(f"{inputs}/") for row in json.loads(result.stdout)]
    assert names == ["a.SEED", "b.seed", "more/c.seed"]
    first, second = inputs / "0.seed", inputs / "more" / "z.seed"
    assert result.stderr.splitlines() == [
        "left out: 1 .txt",
        f"skipped: `{first}` holds no seed",
        f"skipped: `{second}` holds no seed",
        "2 of 5 files were skipped",
    ]
    alone = onlay("predict", bundle, first, "--skip-unreadable")
    assert alone.exit_code == 2
    assert "none of the 1 files can be read" in alone.stderr


def test_predict_finds_what_training_finds(onlay, bundle, inputs):
    for name in (".x.seed", ".ipynb_checkpoints/a.seed", "__MACOSX/._a.seed", "more/._c.seed"):
        (inputs / name).parent.mkdir(exist_ok=True)
        (inputs / name).write_text("5")
    (inputs / "d.seed").mkdir()
    rows = json.loads(onlay("predict", bundle, inputs, "--json").stdout)
    assert [Path(row["path"]).name for row in rows] == ["a.SEED", "b.seed", "c.seed"]
    named = onlay("predict", bundle, inputs / ".x.seed", "--csv")
    assert f"{inputs / '.x.seed'}," in named.stdout, "named itself"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nothing", "there is no file or folder `"), ("empty", "holds no image file (.seed)")],
)
def test_nothing_to_predict(onlay, bundle, tmp_path, name, sentence):
    (tmp_path / "empty").mkdir()
    assert sentence in refusal(onlay("predict", bundle, tmp_path / name))


def test_predict_without_a_bundle(onlay, tmp_path, inputs):
    assert "is no bundle and no finished run" in refusal(onlay("predict", tmp_path, inputs))


def test_a_device_that_is_not_there(onlay, bundle, inputs):
    assert "device `abacus`" in refusal(onlay("predict", bundle, inputs, "--device", "abacus"))
