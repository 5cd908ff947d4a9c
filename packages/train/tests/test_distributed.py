"""Two processes on the CPU; `integration_tests` start them as a user does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from forks import side_by_side
from rich.console import Console

import onlay
from onlay.config import parse, resolve
from onlay.descriptors import resolve as find
from onlay.host import PluginHost
from onlay_train.checkpoint import load_checkpoint
from onlay_train.run import train

PLUGIN = Path(__file__).parent / "data" / "tiny_plugin.py"

WITNESS = '''
"""Every process writes down the weights it ends with."""
import hashlib, os
import onlay

@onlay.hookimpl
def run_finished(model, folder, summary):
    digest = hashlib.sha256()
    for name, tensor in sorted(model.trained_state().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    (folder / f"rank{os.environ['RANK']}").write_text(digest.hexdigest())
'''


def test_two_processes_end_with_the_same_weights_and_one_bundle(
    small_run: list[str], tmp_path: Path, host: PluginHost
) -> None:
    witness = tmp_path / "witness.py"
    witness.write_text(WITNESS)
    words = [*small_run, "--plugin", str(witness), "data.held_out=9", "train.grad_accum_steps=2"]
    words += ["method=counting", "method.wanted=20", "train.epochs=9", "train.early_stopping=2"]
    done = side_by_side(*words)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "run"
    assert (folder / "rank0").read_text() == (folder / "rank1").read_text()
    assert done.stdout.count("epoch 1/9") == 1
    summary = json.loads((folder / "summary.json").read_text())
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    scores = [record["validation_top1"] for record in records]
    epochs = scores.index(max(scores)) + 3  # both have waited for two more
    assert (len(records), summary["stopped_early"]) == (epochs, 2)
    # 30 samples: a step takes 2 processes x 2 batches x 4 samples, the last one 2 x 2 x 3
    assert [record["step"] for record in records] == [2 * epoch + 2 for epoch in range(epochs)]
    # of the 28 samples of an epoch the main process saw a half, and it alone complains
    assert [record["counting/samples/block_0"] for record in records] == [14] * epochs
    assert done.stdout.count("warning: block 0 saw 14 of [wanted] 20 samples") == epochs
    model = onlay.load(folder, host=host)
    part = stripes(host, held_out=9)
    right = sum(int(model(part[i][0][None]).argmax() == part[i][1]) for i in range(9))
    assert summary["metrics"]["test_top1"] * 9 == pytest.approx(right, abs=1e-4)


FAILS_ELSEWHERE = """
import os
import onlay

@onlay.hookimpl
def step_finished(step):
    if step == 2 and os.environ["RANK"] == "1":
        raise ValueError("only here")
"""


def test_a_plugin_that_fails_in_the_second_process_stops_both(
    small_run: list[str], tmp_path: Path
) -> None:
    plugin = tmp_path / "elsewhere.py"
    plugin.write_text(FAILS_ELSEWHERE)
    done = side_by_side(*small_run, "--plugin", str(plugin), "train.log_every=1")
    assert done.returncode != 0
    sentence = "Error: plugin `elsewhere.py` failed in `step_finished`: ValueError: only here"
    assert done.stderr.count(sentence) == 1
    assert load_checkpoint(tmp_path / "run" / "last.pt")["progress"]["step"] == 2


@pytest.mark.skipif(os.name != "posix", reason="this system sends no SIGTERM to others")
def test_a_signal_in_one_of_two_processes_is_answered_by_both_within_two_steps(
    small_run: list[str], tmp_path: Path
) -> None:
    words = [*small_run, "train.log_every=1000"]
    kill = {"STRIPES_KILL_AT": "9", "STRIPES_SIGNAL": "15", "STRIPES_KILL_RANK": "1"}
    done = side_by_side(*words, **kill)
    assert done.returncode != 0
    told = "stopped by SIGTERM; the checkpoint is written; to go on: onlay --plugin"
    assert done.stderr.count(told) == 1, done.stderr
    # its ninth picture is of step 3, which is the first whose end can tell; all hear it a step on
    assert load_checkpoint(tmp_path / "run" / "last.pt")["progress"]["step"] == 4
    assert not (tmp_path / "run" / ".lock").exists()


def stripes(host: PluginHost, *, held_out: int) -> Any:
    config = parse("dataset", {"name": "stripes", "held_out": held_out}, host)
    return find(host.find("dataset", "stripes").build)(config, {}, 0).test


SAM = Path(__file__).parents[3] / "docs" / "examples" / "sharpness_aware.py"


def test_class_weights_are_of_all_processes_and_so_are_steps_that_look_twice(
    quiet: Console,
    small_run: list[str],
    tmp_path: Path,
) -> None:
    """A step of 8 samples in one process; in two, two batches of two each."""
    changes = ["task.class_weights=[1, 0, 3, 4]", "method.dropout=0", "data.train=24"]
    changes += ["train.opt=sam", "train.opt_kwargs.rho=0.2", "train.lr=0.05"]
    host = PluginHost.discover(only="train", files=[PLUGIN, SAM])
    given = [*small_run[3:], *changes]
    one = resolve({}, [*given, "train.batch_size=8", f"out={tmp_path / 'one'}"], host=host)
    train(one, host, console=quiet)
    words = ["--plugin", str(SAM), *small_run, *changes]
    two = side_by_side(*words, "train.batch_size=2", "train.grad_accum_steps=2")
    assert two.returncode == 0, two.stderr
    losses = [
        [json.loads(line)["train_loss"] for line in (tmp_path / out / "metrics.jsonl").open()]
        for out in ("one", "run")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
