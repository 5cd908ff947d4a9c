"""Runs over the folds of a data set."""

from __future__ import annotations

import json
import shutil
import signal
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


def test_data_without_folds_are_dealt(onlay_command: Command, tmp_path: Path) -> None:
    """Three runs, each of a third of the training part; `eval` judges that third again."""
    words = ("train.epochs=1", "--folds", "3", "--seed", "4")
    result = onlay_command("folds", *words)
    assert result.exit_code == 0, result.output
    assert "stripes: 20 training, 10 validation, 10 test; 4 classes" in result.stdout
    told = "fold 1 of 3 of the training part is the test part; the data's own is not looked at"
    assert told in " ".join(result.stdout.split())
    found = json.loads((tmp_path / "run" / "folds.json").read_text())
    assert (len(found["scores"]), found["split"]) == (3, "test")
    assert found["mean"] == pytest.approx(sum(found["scores"]) / 3)
    config = (tmp_path / "run" / "fold-1" / "config.yaml").read_text()
    assert "fold:\n  of: 3\n  fold: 1\n  seed: 4\n" in config
    again = onlay_command("eval", str(tmp_path / "run" / "fold-1"), "--json", small=False)
    assert json.loads(again.stdout)["top1"] == pytest.approx(found["scores"][1])
    assert json.loads(again.stdout)["samples"] == 10


def test_a_stopped_fold_goes_on(
    onlay_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train.epochs=1", "--folds", "2")
    assert onlay_command("folds", *words).exit_code == 0
    whole = json.loads((tmp_path / "run" / "folds.json").read_text())["scores"]
    shutil.rmtree(tmp_path / "run")
    monkeypatch.setenv("STRIPES_KILL_AT", "40")  # 30 are dealt, 15 trained on
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    assert onlay_command("folds", *words).exit_code == 128 + signal.SIGTERM
    assert not (tmp_path / "run" / "folds.json").exists()
    monkeypatch.delenv("STRIPES_KILL_AT")
    assert onlay_command("folds", *words).exit_code == 0
    assert json.loads((tmp_path / "run" / "folds.json").read_text())["scores"] == whole


def test_data_with_folds_of_their_own_keep_them(onlay_command: Command, tmp_path: Path) -> None:
    result = onlay_command("folds", *FEW, "--folds", "3")
    assert result.exit_code == 2
    start = "Error: data set `folded_stripes` has 2 folds of its own: leave out `--folds`"
    assert result.stderr.startswith(start)
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
