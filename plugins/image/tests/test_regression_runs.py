"""Numbers for each picture, from a table to answers on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from onlay.cli import main

pytest.importorskip("onlay_train", reason="comes with onlay-train")


def command(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def pictures(home: Path) -> Path:
    """Noise of 64 pixels around a grey, which the number is: 1000 + 10 * grey."""
    random, lines = np.random.default_rng(0), ["path,weight"]
    for number in range(48):
        grey = 20 + 4 * number
        pixels = random.integers(grey, grey + 20, size=(64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(home / f"{number}.png")
        lines.append(f"{number}.png,{1000 + 10 * grey}")
    (home / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    return home / "t.csv"


def test_numbers_are_learnt_and_told_in_their_unit(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run = tmp_path / "run"
    done = command(
        "train", "backbone=onlay_vit_64", "method=linear", "task.name=regression", "task.unit=g",
        "data=image_csv", f"data.path={pictures(tmp_path)}", "data.target_columns=[weight]",
        "data.val_size=0.25", "data.test_size=0.25", "task.pool=mean", "train.epochs=15",
        "task.metric=mae", "train.selection=best_val", "train.mixup=0.1", "train.mixup_prob=0.25",
        "train.batch_size=9", "train.lr=3e-2", "train.trackers=[]", f"out={run}",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "; 1 number\n" in done.output
    errors = [json.loads(line)["validation_mae"] for line in (run / "metrics.jsonl").open()]
    summary = json.loads((run / "summary.json").read_text())
    assert summary["chosen_epoch"] == errors.index(min(errors)) + 1
    report = tmp_path / "report"
    found = json.loads(command("eval", str(run), "--json", "--report", str(report)).stdout)
    assert found["r2"] > 0.9
    assert 0 < found["mae"] < found["rmse"] < 200
    assert (report / "per_number.csv").read_text().startswith("number,unit,mae,rmse,r2\nweight,g,")
    (answer,) = json.loads(command("predict", str(run), str(tmp_path / "24.png"), "--json").stdout)
    assert answer["numbers"]["weight"] == pytest.approx(1000 + 10 * (20 + 96), abs=250)
    assert answer["units"] == {"weight": "g"}
    out = tmp_path / "out"
    command("predict", str(run), str(tmp_path / "24.png"), "--out", str(out))
    assert json.loads((out / "24.json").read_text())["numbers"] == answer["numbers"]
    card = (run / "bundle" / "README.md").read_text()
    assert "- numbers (1): `weight`" in card
    assert " g` |" in card
    assert "image-classification" not in card
