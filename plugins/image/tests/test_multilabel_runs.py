"""Several labels for each picture, from a table to answers on the command line."""

from __future__ import annotations

import csv
import io
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
    """Grey noise of 64 pixels; bright on the left is `left`, bright above `top`: both, one or
    none."""
    random, lines = np.random.default_rng(0), ["path,label"]
    for number in range(48):
        pixels = random.integers(0, 60, size=(64, 64), dtype=np.uint8)
        own = {"left": bool(number % 2), "top": bool(number // 2 % 2)}
        if own["left"]:
            pixels[:, :32] += 150
        if own["top"]:
            pixels[:20] += 45
        Image.fromarray(pixels).save(home / f"{number}.png")
        lines.append(f"{number}.png,{'|'.join(name for name, has in own.items() if has)}")
    (home / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    return home / "t.csv"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("labels")
    done = command(
        "train", "backbone=onlay_vit_64", "method=linear", "task=multilabel", "data=image_csv",
        f"data.path={pictures(home)}", "data.val_size=0.25", "data.test_size=0.25",
        "task.pool=mean", "train.epochs=12", "train.batch_size=9", "train.lr=3e-2",
        "train.trackers=[]", f"out={home / 'run'}",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "; 2 labels" in done.output
    return home / "run"


def test_it_learns_both_labels(run: Path) -> None:
    found = json.loads(command("eval", str(run), "--json").stdout)
    assert found["samples"] == 12
    assert found["map"] > 0.95
    assert found["f1"] > 0.85


def test_answers_name_all_labels_of_a_file(run: Path) -> None:
    """Pictures 0 to 3 have neither, `left`, `top`, and both."""
    files = [str(run.parent / f"{number}.png") for number in range(4)]
    answers = json.loads(command("predict", str(run), *files, "--json").stdout)
    assert [sorted(a["labels"]) for a in answers] == [[], ["left"], ["top"], ["left", "top"]]
    assert set(answers[0]["probabilities"]) == {"left", "top"}
    rows = list(csv.DictReader(io.StringIO(command("predict", str(run), *files, "--csv").stdout)))
    assert sorted(rows[3]["labels"].split("|")) == ["left", "top"]
    assert float(rows[0]["probability of left"]) < 0.5
    table = command("predict", str(run), files[1]).stdout
    assert "left" in table
    assert "%" in table


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["task=multilabel", "data=digits"],
            "task `multilabel` learns from `labels`, and data set `digits` gives `class`; data sets"
            " that give `labels`: `image_csv`",
        ),
        (
            ["data=image_csv", "data.path=t.csv", "data.targets=labels"],
            "task `classification` learns from `class`, and data set `image_csv` is set to give"
            " `labels`: leave out `data.targets`, or take another task",
        ),
    ],
)
def test_data_that_tell_something_else_are_refused_before_training(
    words: list[str], text: str
) -> None:
    refused = command("train", "backbone=onlay_vit_64", "method=linear", *words)
    assert refused.exit_code == 2
    assert text in " ".join(refused.stderr.split())
