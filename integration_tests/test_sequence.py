"""A modality that Onlay knows nothing of: trained, stopped, resumed, used in another process.

Its package is `sequence_plugin`, with its own tests beside it.
The page about PeterRec is tested by running what it says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

import pytest
import torch

import onlay as library

pytestmark = pytest.mark.skipif(
    not (find_spec("onlay_example_sequence") and find_spec("onlay_train")),
    reason="`onlay-example-sequence` and `onlay-train` are in the set sequence alone",
)
WORDS = ("backbone=small_sequence", "backbone.items=20", "backbone.length=12")
WORDS += ("method=bitfit", "task=next_item", "data.name=histories")
SHORT = ("train.epochs=8", "train.batch_size=32", "train.lr=3e-2", "train.trackers=[]")
STOP = """
import os, signal
from pathlib import Path
import onlay

@onlay.hookimpl
def step_finished(step):
    if step == 20 and not Path(r"{marker}").exists():
        Path(r"{marker}").touch()
        os.kill(os.getpid(), signal.SIGTERM)
"""


DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Histories of 60 users, and a file of a single one."""
    from onlay_example_sequence.example import walks

    folder = tmp_path_factory.mktemp("sequence")
    users = [json.dumps(items) for items in walks(60, items=20, length=10)]
    (folder / "users.jsonl").write_text("\n".join(users), encoding="utf-8")
    (folder / "one.csv").write_text("item_2,item_5,item_8\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run_folder(folder, onlay) -> Path:
    trained = onlay("train", *WORDS, *SHORT, f"data.path={folder}/users.jsonl", f"out={folder}/run")
    assert trained.exit_code == 0, trained.output
    return folder / "run"


def test_it_learns_what_comes_next(run_folder):
    summary = json.loads((run_folder / "summary.json").read_text())
    assert summary["main_metric"] == "ndcg10"
    # at random 10 of 20 items are hit half of the time, and 1 / log2(1 + r) has a mean of 0.227
    assert summary["metrics"]["test_hr10"] > 0.8
    assert summary["metrics"]["test_ndcg10"] > 0.5


def test_a_stopped_run_goes_on_to_the_same_bits(run_folder, folder, onlay):
    plugin = folder / "stops.py"
    plugin.write_text(STOP.format(marker=folder / "stopped"), encoding="utf-8")
    words = ("--plugin", str(plugin), "train", *WORDS, *SHORT, "train.log_every=5")
    words += (f"data.path={folder}/users.jsonl", f"out={folder}/again")
    stopped = onlay(*words)
    assert stopped.exit_code == 143, stopped.output
    gone_on = onlay(*words)
    assert gone_on.exit_code == 0, gone_on.output
    assert "resumed in epoch" in gone_on.output
    plain, resumed = (
        library.load(folder / run / "bundle").trained_state() for run in ("run", "again")
    )
    assert all(torch.equal(plain[name], resumed[name]) for name in plain)


def test_another_process_predicts_the_same(run_folder, folder, onlay):
    words = ("predict", str(run_folder), str(folder / "one.csv"), "--json")
    here = onlay(*words)
    assert here.exit_code == 0, here.output
    there = subprocess.run(
        [sys.executable, "-m", "onlay", *words], capture_output=True, text=True, check=True
    )
    assert json.loads(there.stdout) == json.loads(here.stdout)
    (answer,) = json.loads(here.stdout)
    assert answer["items"][0].startswith("item_")


def test_what_it_does_not_have_is_refused_in_words(run_folder, folder, onlay):
    page = onlay("inspect", str(run_folder), str(folder / "one.csv"))
    assert page.exit_code == 2
    assert "no page to look at for `sequence` inputs" in page.output
    exported = onlay("merge", str(run_folder), "--out", str(folder / "merged"))
    assert exported.exit_code == 2
    assert "no installed plugin writes merged sequence models" in exported.output
    mixed = onlay("train", *WORDS, "train.mixup=0.1", f"data.path={folder}/users.jsonl", "out=no")
    assert mixed.exit_code == 2
    assert "cannot mix inputs of modality `sequence`" in mixed.output
    grid = onlay("train", *WORDS, "task=classification", "method=full", "--dry-run",
                 f"data.path={folder}/users.jsonl", f"out={folder}/no")  # fmt: skip
    assert grid.exit_code == 0, grid.output  # a task of core's own takes sequences, too


@pytest.fixture(scope="module")
def said() -> list[list[str]]:
    """The commands of the page about PeterRec, word by word."""
    page = (DOCS / "explanation" / "peterrec.md").read_text(encoding="utf-8")
    block = page.partition("```\npython peterrec.py data\n")[2].partition("```")[0]
    lines = block.replace("\\\n", " ").splitlines()
    return [["python", "peterrec.py", "data"], *(line.split() for line in lines)]


@pytest.fixture(scope="module")
def transferred(said, onlay, tmp_path_factory) -> Path:
    """The folder in which all of them ran."""
    folder = tmp_path_factory.mktemp("peterrec")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for program, *words in said:
            if program == "python":
                patch.setattr(sys, "argv", words)
                run_path(str(DOCS / "examples" / words[0]), run_name="__main__")
                continue
            done = onlay(*words)
            assert done.exit_code == 0, done.output
    return folder


def test_patches_transfer_a_network_to_another_question(transferred):
    summary = json.loads((transferred / "adapted" / "summary.json").read_text())
    assert summary["metrics"]["test_hr1"] > 0.5  # an eighth at random, a third without patches
    bundle = library.load(transferred / "adapted" / "bundle")
    assert bundle.trainable_report().method == 4 * 552  # 2 * 32 * 8 + 8 + 32, of 4 convolutions


def test_the_transfer_is_stopped_and_goes_on_to_the_same_bits(
    transferred, said, onlay, monkeypatch
):
    monkeypatch.chdir(transferred)
    plugin = transferred / "stops_the_transfer.py"
    plugin.write_text(STOP.format(marker=transferred / "stopped"), encoding="utf-8")
    words = [word.replace("out=adapted", "out=again") for word in said[-2][1:]]
    words = ["--plugin", str(plugin), *words, "train.log_every=5"]
    assert onlay(*words).exit_code == 143
    gone_on = onlay(*words)
    assert gone_on.exit_code == 0, gone_on.output
    assert "resumed in epoch" in gone_on.output
    plain, resumed = (
        library.load(transferred / run / "bundle").trained_state() for run in ("adapted", "again")
    )
    assert all(torch.equal(plain[name], resumed[name]) for name in plain)


def test_another_process_answers_the_same_question(transferred, said, onlay, monkeypatch):
    monkeypatch.chdir(transferred)
    words = [*said[-1][1:], "--json"]
    here = onlay(*words)
    command = [sys.executable, "-m", "onlay", *words]
    there = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(there.stdout) == json.loads(here.stdout)
    assert json.loads(here.stdout)[0]["items"][0].split("_")[0] in ("book", "game")
