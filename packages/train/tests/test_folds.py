"""Runs over the folds of a data set."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]
FEW = ("data.name=folded_stripes", "train.epochs=1")


def test_every_fold_is_trained_and_summed_up(onlay_command: Command, tmp_path: Path) -> None:
    """And once more: a fold that is lost is trained again, a finished one is read back."""
    words = (*FEW, "train.selection=best_test_as_published")
    result = onlay_command("folds", *words)
    assert result.exit_code == 0, result.output
    out = tmp_path / "run"
    folders = [out / f"fold-{i}" for i in range(2)]
    scores = [
        json.loads((folder / "summary.json").read_text())["metrics"]["test_top1"]
        for folder in folders
    ]
    found = json.loads((out / "folds.json").read_text())
    assert found["scores"] == scores
    assert found["mean"] == pytest.approx(sum(scores) / 2)
    assert found["deviation"] == pytest.approx(statistics.stdev(scores))
    assert (found["metric"], found["split"]) == ("top1", "test")
    assert found["selection"] == "best_test_as_published"
    for i, folder in enumerate(folders):
        assert f"fold: {i}\n" in (folder / "config.yaml").read_text()
    mean, deviation = (f"{100 * found[key]:.1f}" for key in ("mean", "deviation"))
    assert f"{mean} ± {deviation} %" in result.stdout
    assert "Note: the epoch was chosen on the test part" in result.stdout
    tensors = [(folder / "bundle" / "adapter_model.safetensors").read_bytes() for folder in folders]
    assert tensors[0] != tensors[1], "each fold is other data"

    kept = folders[1] / "summary.json"
    (folders[0] / "summary.json").unlink()
    before = kept.stat().st_mtime_ns
    again = onlay_command("folds", *words)
    assert again.exit_code == 0, again.output
    assert again.stdout.count("noisy on tiny") == 1
    assert kept.stat().st_mtime_ns == before
    assert json.loads((out / "folds.json").read_text())["scores"] == scores


def test_data_without_folds_is_refused(onlay_command: Command, tmp_path: Path) -> None:
    result = onlay_command("folds")
    assert result.exit_code == 2
    start = "Error: data set `stripes` has no folds; with folds: `folded_stripes`"
    assert result.stderr.startswith(start)
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
