"""`onlay eval RUN data.path=NEW`: what is judged of other data, whatever their layout."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import onlay
from onlay.cli import main
from onlay.host import PluginHost
from onlay_train.seeding import OneEpoch

DATA = Path(__file__).parent / "data"
PLUGINS = [DATA / "tiny_plugin.py", DATA / "seeds_plugin.py"]
LABELS = ["ant", "bee", "caf\u00e9"]


def command(*words: str) -> Result:
    plugins = [word for path in PLUGINS for word in ("--plugin", str(path))]
    return CliRunner().invoke(main, [*plugins, *words])


def seeds(root: Path, names: dict[str, list[int]]) -> Path:
    for folder, numbers in names.items():
        for number in numbers:
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / f"{number}.seed").write_text(str(number))
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on three classes of ten each, of which two each are for the test."""
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("own")
    own = {label: list(range(100 * k, 100 * k + 10)) for k, label in enumerate(LABELS)}
    done = command(
        "train", "backbone=tiny", "method=noisy", "data.name=seeds", "train.epochs=1",
        f"data.path={seeds(home / 'data', own)}", f"out={home / 'run'}", "train.trackers=[]",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return home / "run"


def judged(run: Path, *words: str) -> dict[str, Any]:
    result = command("eval", str(run), "--json", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def share_right(run: Path, names: dict[str, list[int]]) -> float:
    host = PluginHost.discover(only="train", files=PLUGINS)
    model = onlay.load(run, host=host).eval()
    right = []
    for label, numbers in names.items():
        for number in numbers:
            chance = torch.Generator().manual_seed(number)
            output = model(torch.randn(1, 3, 8, 8, generator=chance))
            right.append(int(output.argmax()) == LABELS.index(label))
    return sum(right) / len(right)


def test_all_of_other_class_folders_is_judged(run: Path, tmp_path: Path) -> None:
    """A subset of the classes, one of them in the Unicode form of another system."""
    names = {"cafe\u0301": [900, 901, 902], "ant": [903]}
    new = seeds(tmp_path / "new", names)
    found = judged(run, f"data.path={new}")
    assert (found["split"], found["samples"]) == ("all", 4)
    right = share_right(run, {"caf\u00e9": [900, 901, 902], "ant": [903]})
    assert found["top1"] == pytest.approx(right)
    text = command("eval", str(run), f"data.path={new}").stdout
    assert f"{run}: all of `{new}`, 2 of 3 classes, 4 samples" in text


def test_parts_of_other_data(run: Path, tmp_path: Path) -> None:
    new = seeds(tmp_path / "new", {"Training/ant": [1, 2, 3], "Training/bee": [4], "dev/ant": [5]})
    assert judged(run, f"data.path={new}")["samples"] == 5
    text = command("eval", str(run), f"data.path={new}").stdout
    assert f"all of `{new}` (4 train, 1 validation), 2 of 3 classes, 5 samples" in text
    assert judged(run, f"data.path={new}", "--split", "validation")["samples"] == 1
    refused = command("eval", str(run), f"data.path={new}", "--split", "test")
    assert refused.exit_code == 2
    assert f"`{new}` has no test part (have: train, validation)" in refused.stderr


def test_one_part_alone_and_one_class_alone(run: Path, tmp_path: Path) -> None:
    new = seeds(tmp_path / "new", {"test/ant": [1, 2], "test/bee": [3]})
    assert judged(run, f"data.path={new}")["samples"] == 3
    lone = seeds(tmp_path / "lone", {"bee/left": [7], "bee/right": [8, 9]})
    found = judged(run, f"data.path={lone}")
    assert found["samples"] == 3
    assert found["top1"] == pytest.approx(share_right(run, {"bee": [7, 8, 9]}))


def test_classes_that_the_run_does_not_know(run: Path, tmp_path: Path) -> None:
    new = seeds(tmp_path / "new", {"ant": [1], "owl": [2]})
    refused = command("eval", str(run), f"data.path={new}")
    assert refused.exit_code == 2
    assert "the data have `owl` (`owl/2.seed`), which this run does not know" in refused.stderr


def test_the_runs_own_data_elsewhere_are_still_its_own(run: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(run.parent / "data", tmp_path / "moved")
    own, found = judged(run), judged(run, f"data.path={moved}")
    assert (found["split"], found["samples"]) == ("test", 6)
    assert found["top1"] == own["top1"]
    assert own["notes"] == []
    assert found["notes"] == [f"`{moved}` holds the run's own data: its test part is judged"]
    (moved / "ant" / "1.seed").write_text("12345")
    assert judged(run, f"data.path={moved}")["samples"] == 30


def test_a_folds_own_data_elsewhere_are_judged_by_what_was_tested(
    run: Path, tmp_path: Path
) -> None:
    """A fold of the training part's 24 items, not all 30, of most of which it was learnt."""
    data = shutil.copytree(run.parent / "data", tmp_path / "data")
    words = ("backbone=tiny", "method=noisy", "data.name=seeds", "train.epochs=1", "fold.of=4")
    fold = ("fold.fold=1", f"data.path={data}", f"out={tmp_path / 'run'}", "train.trackers=[]")
    done = command("train", *words, *fold)
    assert done.exit_code == 0, done.output
    own = judged(tmp_path / "run")
    moved = shutil.copytree(data, tmp_path / "moved")
    found = judged(tmp_path / "run", f"data.path={moved}")
    assert (found["split"], found["samples"]) == ("test", own["samples"])
    assert found["top1"] == own["top1"]
    assert f"`{moved}` holds the run's own data: its test part is judged" in found["notes"]


def test_another_split_of_the_runs_own_data_is_warned_of(run: Path) -> None:
    (note,) = judged(run, "data.split_seed=7")["notes"]
    assert note.startswith("warning: this is not the split that the run was trained on")


def test_items_that_come_again_in_an_epoch_are_judged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, item = [], OneEpoch.__getitem__
    own = {label: list(range(100 * k, 100 * k + 10)) for k, label in enumerate(LABELS)}
    monkeypatch.setattr(OneEpoch, "__getitem__", lambda o, i: (judged.append(i), item(o, i))[1])
    done = command(
        "train", "backbone=tiny", "method=noisy", "data.name=seeds", "train.epochs=1",
        f"data.path={seeds(tmp_path / 'data', own)}",
        f"out={tmp_path / 'run'}", "train.trackers=[]",
        "data.train_repeats=3", "train.evaluate_train=true", "train.num_workers=0",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    (count,) = re.findall(r"(\d+) training", done.output)
    assert judged == list(range(int(count) // 3))
    metrics = json.loads((tmp_path / "run/summary.json").read_text())["metrics"]
    assert 0 <= metrics["train_top1"] <= 1
