"""Two numbers for each cloud, from a table to answers on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import onlay
from onlay.cli import main
from onlay.reports import Measure

pytest.importorskip("onlay_train", reason="comes with onlay-train")


def command(*words: str) -> str:
    done = CliRunner().invoke(main, words, env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    return done.stdout


def clouds(home: Path) -> Path:
    """Boxes of 10 to 120 points' height over their width, and how many points they have."""
    random, lines = np.random.default_rng(0), ["path,ratio,points"]
    for number in range(1, 13):
        count = 1100 + number
        np.save(home / f"{number}.npy", random.random((count, 3)) * [1, 1, number / 10])
        lines.append(f"{number}.npy,{10 * number},{count}")
    (home / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    return home / "t.csv"


def test_numbers_are_told_each_in_its_unit(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run, table = str(tmp_path / "run"), clouds(tmp_path)
    told = command(
        "train", "backbone=onlay_points", "method=linear", "task.name=regression",
        "task.unit={ratio: '%'}", "data=cloud_csv", f"data.path={table}",
        "data.target_columns=[ratio, points]", "data.val_size=0", "data.test_size=0",
        "task.pool=mean", "train.epochs=1", "train.batch_size=6", "train.trackers=[]", f"out={run}",
    )  # fmt: skip
    assert "12 training; 2 numbers" in told
    head = onlay.load(Path(run)).head
    torch.testing.assert_close(head.offset, torch.tensor([65.0, 1106.5]))
    torch.testing.assert_close(head.scale, torch.tensor([1430.0, 14.3]).div(12).mul(10).sqrt())
    found = json.loads(command("eval", run, "--json", "--split", "train"))
    assert found["mae"] == pytest.approx((found["mae_ratio"] + found["mae_points"]) / 2)
    told = command("eval", run, "--split", "train").splitlines()
    assert next(line for line in told if "mae_ratio" in line).endswith("percent")
    (answer,) = json.loads(command("predict", run, str(tmp_path / "3.npy"), "--json"))
    assert list(answer["numbers"]) == ["ratio", "points"]
    assert answer["units"] == {"ratio": "percent"}
    shown = command("predict", run, str(tmp_path / "3.npy"))
    assert Measure("percent").text(answer["numbers"]["ratio"]) in shown
