"""`onlay eval`, in process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from refused import Command, refusal


def test_eval_prints_the_metrics_of_a_split(onlay_command: Command, tmp_path: Path) -> None:
    onlay_command("train", "train.epochs=1")
    run = str(tmp_path / "run")
    shown = onlay_command("eval", run, "--split", "validation", small=False)
    assert shown.exit_code == 0, shown.output
    assert "validation part, 10 samples" in shown.stdout
    result = onlay_command("eval", run, "--json", small=False)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    found = json.loads(result.stdout)
    assert (found["split"], found["samples"]) == ("test", 10)
    assert found["top1"] == pytest.approx(summary["metrics"]["test_top1"])


def test_eval_of_other_data(onlay_command: Command, tmp_path: Path) -> None:
    onlay_command("train", "train.epochs=1")
    result = onlay_command("eval", str(tmp_path / "run"), "data.held_out=21", "--json", small=False)
    assert json.loads(result.stdout)["samples"] == 21


def test_eval_refuses_what_is_no_finished_run(onlay_command: Command, tmp_path: Path) -> None:
    text = refusal(onlay_command("eval", str(tmp_path), small=False))
    assert text == f"`{tmp_path}` is no finished run: it needs `config.yaml` and `bundle/`"


def test_eval_refuses_a_part_that_is_not_there(onlay_command: Command, tmp_path: Path) -> None:
    onlay_command("train", "train.epochs=1", "data.held_out=0")
    text = refusal(onlay_command("eval", str(tmp_path / "run"), small=False))
    assert text == "`stripes` has no test part (have: train)"


def test_a_choice_on_the_test_part_is_said_loudly(onlay_command: Command) -> None:
    result = onlay_command("train", "train.selection=best_test_as_published", "train.epochs=1")
    assert "Note: the epoch was chosen on the test part" in result.stdout
