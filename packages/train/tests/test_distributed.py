"""Two processes on the CPU; `integration_tests` start them as a user does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from forks import side_by_side
from refused import refusal
from rich.console import Console
from told import Configure

import onlay
from onlay.cli import main
from onlay.config import parse, resolve
from onlay.descriptors import resolve as find
from onlay.host import PluginHost
from onlay_train.checkpoint import load_checkpoint
from onlay_train.run import train
from onlay_train.schedule import Rates
from onlay_train.signals import Stopped

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


@pytest.mark.parametrize("rank", ["0", "1", "01"])
def test_what_one_process_cannot_read_is_said_once_and_ends_both(
    small_run: list[str], rank: str
) -> None:
    where = {} if rank == "01" else {"STRIPES_KILL_RANK": rank}
    done = side_by_side(*small_run, STRIPES_DAMAGED_AT="6", **where)
    assert done.returncodes == (2, 2), done.stderr
    assert done.stderr == "Error: one of the stripes is damaged\n"


FAILING_FIGURES = """
import os
from onlay import hookimpl
from onlay.figures import Figures

asked = []

def figures():
    asked.append(1)
    if len(asked) == 2:
        raise KeyError("gate")
    return Figures()

@hookimpl
def adapter_attached(model):
    if os.environ["RANK"] == "1":
        list(model.adapter.modules())[-1].figures = figures
"""


def test_figures_that_fail_in_one_process_end_both(small_run: list[str], tmp_path: Path) -> None:
    """The other one would wait for a checkpoint that only one of them writes."""
    (tmp_path / "gates.py").write_text(FAILING_FIGURES)
    done = side_by_side("--plugin", str(tmp_path / "gates.py"), *small_run, "train.log_every=1")
    assert done.returncodes == (2, 2), done.stderr
    assert done.stderr.count("`function.figures` failed: KeyError: 'gate'") == 1
    assert load_checkpoint(tmp_path / "run" / "last.pt")["progress"]["step"] == 2


def test_what_is_wrong_before_there_is_a_group_is_said(small_run: list[str]) -> None:
    done = side_by_side(*small_run, "train.lr=fast")
    assert done.returncodes == (2, 2), done.stderr
    assert "Error: train.lr: must be a valid number" in done.stderr


@pytest.mark.parametrize("words", ["train", "compare"])
def test_a_count_of_processes_that_is_none_is_said(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "")
    done = CliRunner().invoke(main, [words, "run.yaml"])
    assert done.exit_code == 2
    assert "`WORLD_SIZE`, by which launchers count processes, holds no number" in done.output


def test_a_judgement_and_what_would_be_trained_are_printed_once(
    small_run: list[str], tmp_path: Path, configure: Configure, host: PluginHost, quiet: Console
) -> None:
    shown = side_by_side(*small_run, "--dry-run")
    assert shown.stdout.count("3 epochs of 4 steps on 2 processes; nothing was trained") == 1
    train(configure("train.epochs=1"), host, console=quiet)
    words = [*small_run[:2], "eval", str(tmp_path / "run")]
    assert json.loads(side_by_side(*words, "--json").stdout)["samples"] == 10
    assert side_by_side(*words).stdout.count("top1") == 1


@pytest.mark.parametrize("words", [["compare", "grid.yaml"], ["demo"]])
def test_a_command_with_processes_of_its_own_takes_no_launcher(words: list[str]) -> None:
    """These would take themselves for the launcher's."""
    result = CliRunner().invoke(main, words, env={"WORLD_SIZE": "2", "RANK": "0"})
    sentence = f"`onlay {words[0]}` starts processes of its own: start it without a launcher"
    assert refusal(result) == sentence


def stopped_run(configure: Configure, host: PluginHost, monkeypatch: pytest.MonkeyPatch) -> Path:
    """At step 10 of three epochs of 8 steps, on one process."""
    run = configure()
    monkeypatch.setenv("STRIPES_KILL_AT", "37")  # 30 samples an epoch: the second one's second step
    monkeypatch.setenv("STRIPES_SIGNAL", "15")
    with pytest.raises(Stopped):
        train(run, host, console=Console(quiet=True))
    monkeypatch.delenv("STRIPES_KILL_AT")
    return run.out / "last.pt"


@pytest.mark.skipif(os.name != "posix", reason="this system sends no SIGTERM to others")
def test_steps_that_see_more_are_no_way_to_go_on(
    small_run: list[str],
    configure: Configure,
    host: PluginHost,
    monkeypatch: pytest.MonkeyPatch,
    quiet: Console,
) -> None:
    last = stopped_run(configure, host, monkeypatch)
    before = last.read_bytes()
    done = side_by_side(*small_run)
    assert done.returncodes == (2, 2)
    assert done.stderr == (
        "Error: this run was begun with 8 steps an epoch on 1 process; this start has 4 steps an"
        " epoch on 2 processes, and the learning rate goes by the step: start it on 1 process, or"
        " with `train.batch_size=2`, so that a step sees as many\n"
    )
    assert last.read_bytes() == before
    assert train(configure(), host, console=quiet).epochs == 3


@pytest.mark.skipif(os.name != "posix", reason="this system sends no SIGTERM to others")
def test_steps_that_see_as_many_go_on_at_the_rates_that_were_planned(
    small_run: list[str], configure: Configure, host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two samples that end an epoch are a step of one process, and none of two."""
    last = stopped_run(configure, host, monkeypatch)
    assert load_checkpoint(last)["progress"]["step"] == 10
    done = side_by_side(*small_run, "train.batch_size=2", "train.log_every=1")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (last.parent / "metrics.jsonl").open()]
    # 8 steps of one process, 2 more and 5 of two, 7 of two
    assert [record["step"] for record in records] == [8, 15, 22]
    planned = Rates(configure().train, 8)
    planned.total = 22
    assert records[1]["lr"] == pytest.approx(planned.at(15))
    assert records[2]["lr"] == pytest.approx(0, abs=1e-12)


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
