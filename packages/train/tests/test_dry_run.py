"""`onlay train --dry-run` finds what training would."""

from __future__ import annotations

from pathlib import Path

import pytest
from refused import Command, refusal


def test_a_dry_run_shows_everything_and_writes_nothing(
    onlay_command: Command, tmp_path: Path
) -> None:
    result = onlay_command("train", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "rank: 2" in result.stdout
    assert "sites (2):\n  blocks.0.mlp.in\n  blocks.1.mlp.in\n" in result.stdout
    assert "method 164, head 68, other 0" in result.stdout
    assert "30 training, 10 validation, 10 test; 4 classes" in result.stdout
    assert "3 epochs of 8 steps on one process; nothing was trained" in result.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train.trackers=wandb"], "tracker `wandb` is not installed"),
        (["train.grad_accum_steps=99"], "the training part has 30 samples, too few for the 99"),
        (["train.selection=best_val", "data.held_out=0"], "needs a validation part"),
        (["data.classes=1"], "the data has one class only, `rows`"),
        (["method=noisi"], "did you mean `noisy`?"),
    ],
)
def test_a_dry_run_refuses_what_training_refuses(
    onlay_command: Command, tmp_path: Path, words: list[str], message: str
) -> None:
    for mode in ([], ["--dry-run"]):
        result = onlay_command("train", *words, *mode)
        assert message in refusal(result)
        assert not result.stdout  # no configuration before what is wrong
        assert not (tmp_path / "run").exists()


def test_a_dry_run_refuses_a_folder_that_cannot_be_written(
    onlay_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    text = refusal(onlay_command("train", "--dry-run", f"out={tmp_path / 'file' / 'run'}"))
    assert "cannot be written: a part of its path is a file" in text


def test_a_dry_run_refuses_another_runs_folder(onlay_command: Command) -> None:
    onlay_command("train", "train.epochs=1")
    text = refusal(onlay_command("train", "--dry-run", "train.epochs=1", "train.seed=7"))
    assert "already holds another run" in text
